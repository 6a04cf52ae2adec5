"""What a session holds, gives back, and leaves behind when it dies."""

from __future__ import annotations

from nexum.store.api import Claimed, Held, Mail, TaskKey
from nexum.store.leases import held_answer
from nexum.store.memory import steps, sweeping
from nexum.store.memory.claiming import claimed, order
from nexum.store.memory.rows import Effect, Task
from nexum.store.memory.transaction import Transaction
from nexum.store.shapes import EXPIRED, SILENCE

_OVER = ("ENDED", "DEAD")


def adopt(tx: Transaction, session: str) -> list[Claimed]:
    """The tasks that a session holds, with what the claim of their effects answered or would answer."""
    found = []
    held = [task for task in tx.tables.tasks.rows.values() if task.state == "CLAIMED" and task.session == session]
    for task in sorted(held, key=order):
        effect = tx.tables.effects.get(task.tenant, task.effect_key) if task.effect_key else None
        found_one = (effect.state, effect.input_hash, effect.token) if effect else (None, None, None)
        since = effect.undo_from if effect else 0
        mine = effect is not None and _is_of(effect, task)
        answer = held_answer((task.effect_key, task.input_hash, *found_one, mine, since), task.token)
        if answer is not None:
            other = f"{effect.run_id}/{effect.path}" if effect is not None and not mine else ""
            held_one = claimed(tx, task, answer, effect if answer == "reuse" else None)
            found.append(held_one._replace(holder=other, undo_from=since if answer == "undone" else 0))
    return found


def held_by_dead(tx: Transaction, limit: int) -> list[Held]:
    """Tasks of ended sessions, the longest held first, with policy, ttl and first sending of their effects."""
    t = tx.tables
    lost = []
    for task in t.tasks.rows.values():
        holder = t.sessions.get(task.session) if task.state == "CLAIMED" else None
        if holder is not None and holder.state in _OVER:
            lost.append((task.claimed_at, task.key, task, holder))
    found = []
    for _, _, task, holder in sorted(lost)[:limit]:
        effect = _effect_of(tx, task)
        policy, sent_at = (task.policy, effect.first_sent_at) if effect else ("", 0)
        silent, expired = holder.proof.startswith(SILENCE), holder.proof.startswith(EXPIRED)
        terms = (policy, task.ttl, sent_at, silent, expired, task.claimed_at, holder.ended_at)
        found.append(Held(claimed(tx, task), *terms))
    return found


def release(tx: Transaction, session: str, key: TaskKey, token: int, pause: int, waits_for: str = "") -> bool:
    """Give back a task that left nothing behind, for `pause` us to nobody; its effect is as it was before the claim."""
    task = _held(tx, key, token)
    if task is None or task.session != session:
        return False
    later = tx.now + pause if pause > 0 else task.not_before
    start_by = max(task.start_by, tx.now) + pause if pause and task.start_by else task.start_by
    back = {"state": "READY", "session": "", "claimed_at": 0, "not_before": later, "start_by": start_by}
    tx.update(tx.tables.tasks, task, **back, waits_for=waits_for, deliveries=task.deliveries - 1)
    effect = _effect_of(tx, task)
    if effect is not None and effect.token == token and effect.state == "CLAIMED":
        if effect.before == "":
            tx.delete(tx.tables.effects, effect)
        else:
            # In doubt before: this attempt exists because a person said that the earlier one did not happen.
            attempt = effect.attempt - 1 if effect.before == "IN_DOUBT" else effect.attempt
            tx.update(tx.tables.effects, effect, state=effect.before, claimed_at=0, attempt=attempt)
    return True


def requeue(tx: Transaction, key: TaskKey, token: int) -> bool:
    """Give a dead session's task back; its effect stays CLAIMED, and the next claim judges whether it may be sent."""
    task = _held(tx, key, token)
    holder = tx.tables.sessions.get(task.session) if task is not None else None
    if task is None or holder is None or holder.state not in _OVER:
        return False
    tx.update(tx.tables.tasks, task, state="READY", session="", claimed_at=0, told_at=0)
    return True


def drop_task(tx: Transaction, key: TaskKey, token: int) -> bool:
    """Remove a claimed task that its run does not know."""
    task = _held(tx, key, token)
    if task is None:
        return False
    tx.delete(tx.tables.tasks, task)
    return True


def expire_start(tx: Transaction, key: TaskKey, mail: Mail) -> bool:
    """Take a READY task away and say why, in one commit; False when somebody has claimed it."""
    task = tx.tables.tasks.rows.get(key)
    if task is None or task.state != "READY" or not sweeping.is_untouched(tx, task):
        return False
    tx.delete(tx.tables.tasks, task)
    steps.put(tx, mail)
    return True


def doubt(tx: Transaction, key: TaskKey, token: int, mail: Mail) -> bool:
    """An effect becomes IN_DOUBT, its task goes, the fact is on its way; False when an outcome was recorded meanwhile."""
    task = _held(tx, key, token)
    effect = _effect_of(tx, task) if task is not None else None
    if task is None or effect is None or effect.token > token:
        return False
    if effect.state not in ("CLAIMED", "UNKNOWN", "IN_DOUBT"):
        return False
    tx.update(tx.tables.effects, effect, state="IN_DOUBT", attempt=key.attempt)
    tx.delete(tx.tables.tasks, task)
    steps.put(tx, mail)
    return True


def _held(tx: Transaction, key: TaskKey, token: int) -> Task | None:
    task = tx.tables.tasks.rows.get(key)
    return task if task is not None and task.state == "CLAIMED" and task.token == token else None


def _effect_of(tx: Transaction, task: Task) -> Effect | None:
    effect = tx.tables.effects.get(task.tenant, task.effect_key) if task.effect_key else None
    return effect if effect is not None and _is_of(effect, task) else None


def _is_of(effect: Effect, task: Task) -> bool:
    """Whether the effect belongs to the task's own cell, in whatever attempt."""
    return (effect.run_id, effect.path, effect.visit, effect.item) == task[:4]
