"""Who may do what now: claims of tasks and, with them, of effects; `judge` is the databases' own."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from nexum.store.api import Claimed, EventLink, TaskKey
from nexum.store.claiming import WAIT, Ready, Standing, judge, undoes_first
from nexum.store.memory.rows import Effect, Run, Task
from nexum.store.memory.transaction import Transaction

_standing = attrgetter(*Standing._fields)
_asked = attrgetter(*Ready._fields[:-2])
_link = attrgetter(*EventLink._fields)


def claim(tx: Transaction, session: str, queues: Sequence[str], limit: int, recent: int) -> list[Claimed]:
    """Take READY tasks of these queues that are due, by priority and age; skips what others hold."""
    t, wanted = tx.tables, set(queues)
    ready = [
        task
        for key, task in t.tasks.rows.items()
        if task.state == "READY" and task.not_before <= tx.now and task.queue in wanted and tx.may_lock(t.tasks, key)
    ]
    ready.sort(key=order)
    taken = {
        task.key: _take(tx, task, session, recent) for task in sorted(ready[:limit], key=lambda task: task.effect_key)
    }
    return [taken[task.key] for task in ready[:limit]]


def claim_one(tx: Transaction, session: str, key: TaskKey, recent: int) -> Claimed | None:
    """Take this task if it is READY and due."""
    task = tx.tables.tasks.rows.get(key)
    if task is None or task.state != "READY" or task.not_before > tx.now:
        return None
    return _take(tx, task, session, recent)


def order(task: Task) -> tuple[object, ...]:
    """By priority, then by age; a name decides between equals."""
    return (task.priority, task.created_at, *task[:5])


def newest(tx: Transaction, run: Run, number: int) -> tuple[EventLink, ...]:
    """The newest events of a run, in order."""
    rows = tx.tables.events.rows
    found = (rows.get((run.run_id, seq)) for seq in range(run.last_seq - number + 1, run.last_seq + 1))
    return tuple(EventLink(*_link(row.fact)) for row in found if row is not None)


def _take(tx: Transaction, task: Task, session: str, recent: int) -> Claimed:
    token, answer, effect, taker = task.token + 1, "", None, _taker(tx, task)
    if taker:
        answer = "taken"
    elif task.effect_key:
        token, answer, effect = _take_effect(tx, task, session, token)
    if answer == "wait":
        task = tx.update(tx.tables.tasks, task, token=token, not_before=tx.now + WAIT)
    else:
        held = {"state": "CLAIMED", "session": session, "claimed_at": tx.now}
        task = tx.update(tx.tables.tasks, task, **held, token=token, deliveries=task.deliveries + 1)
    taken = claimed(tx, task, "doubt" if answer == "left" else answer, effect if answer == "reuse" else None)
    holder = taker if effect is None or effect[4:8] == task[:4] else f"{effect.run_id}/{effect.path}"
    since = effect.undo_from if effect is not None and answer == "undone" else 0
    run = tx.tables.runs.rows[task.run_id]
    return taken._replace(recent=newest(tx, run, recent), holder=holder, undo_from=since)


def _taker(tx: Transaction, task: Task) -> str:
    """RUN/NODE of another run that has taken the result of the act that this task would undo; "" for any other task."""
    if not undoes_first(Ready._make((*_asked(task), 0, b""))):
        return ""
    deed = (task.run_id, task.path.removesuffix("/undo"), task.visit, task.item)
    found = (effect.taken_by for effect in tx.tables.effects.rows.values() if effect[4:8] == deed)
    return next((taker for taker in found if taker), "")


def claimed(tx: Transaction, task: Task, answer: str = "", done: Effect | None = None) -> Claimed:
    """A task as its holder sees it; `done` is the recorded effect that it is to reuse."""
    run = tx.tables.runs.rows[task.run_id]
    return Claimed(
        key=task.key,
        kind=task.kind,
        queue=task.queue,
        token=task.token,
        deliveries=task.deliveries,
        max_run=task.max_run,
        effect=answer,
        result=done.result if done else b"",
        result_hash=done.result_hash if done else "",
        reference=done.reference if done else "",
        last_seq=run.last_seq,
        last_hash=run.last_hash,
        now=tx.now,
    )


def _take_effect(tx: Transaction, task: Task, session: str, token: int) -> tuple[int, str, Effect | None]:
    effects, now = tx.tables.effects, tx.now
    name = (task.tenant, task.effect_key, task.effect_scope, task.business_key, *task[:5], token, session)
    terms = (task.input_hash, task.tool, task.policy, task.ttl)
    mine = Effect(*name, "CLAIMED", "", *terms, now, now, 0, b"", "", "", b"")
    if tx.keep(effects, mine):
        return token, "", None
    business = (task.tenant, task.effect_scope, task.business_key)
    effect = effects.get(task.tenant, task.effect_key) or effects.having("one_business", business)
    assert effect is not None  # nobody can have given it back meanwhile
    answer = judge(Standing(*_standing(effect)), Ready._make((*_asked(task), 0, b"")), now)
    if answer == "wait" and is_left(tx, effect):
        answer = "left"
    token = max(token, effect.token + 1)  # an older attempt's token must never fit this claim
    if answer == "":
        again = mine._replace(
            scope=effect.scope,
            business_key=effect.business_key,
            token=token,
            before=effect.state,
            first_sent_at=tx.now if effect.state == "FAILED" else effect.first_sent_at,
            result=effect.result,
            result_hash=effect.result_hash,
            reference=effect.reference,
            raw=effect.raw,
        )
        tx.update(effects, effect, **again._asdict())
    elif answer == "left":  # whoever still reports for the other run is fenced off; so the task's token is a later one
        cell = dict(zip(("run_id", "path", "visit", "item", "attempt"), task[:5], strict=True))
        ours = {"key": task.effect_key, "session": session, "tool": task.tool, "policy": task.policy, "ttl": task.ttl}
        tx.update(effects, effect, state="IN_DOUBT", before=effect.state, token=token, **cell, **ours)
        token += 1
    elif answer == "reuse" and effect.run_id != task.run_id:
        tx.update(effects, effect, taken_by=f"{task.run_id}/{task.path}")
    elif answer == "doubt":
        tx.update(effects, effect, state="IN_DOUBT", attempt=task.attempt)
    return token, answer, effect


def is_left(tx: Transaction, effect: Effect) -> bool:
    """Whether nobody will find out any more what became of another run's effect; see `nexum.store.claiming.LEFT`."""
    t = tx.tables
    holder, run = t.sessions.get(effect.session), t.runs.rows.get(effect.run_id)
    if run is not None and run.status in ("RUNNING", "CLOSING"):
        return False
    return not (effect.state == "CLAIMED" and holder is not None and holder.state in ("LIVE", "DRAINING"))
