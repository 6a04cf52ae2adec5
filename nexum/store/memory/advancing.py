"""A run begins, and a run moves on: compare and set, append, swap tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nexum.errors import InternalError
from nexum.store.api import Advance, NewTask, Started, StartRow, TaskKey
from nexum.store.memory.rows import Effect, Event, Run, StartKey, Task, Timer
from nexum.store.memory.transaction import Transaction
from nexum.store.rows import claimable, clean, new_effect_row, task_row


def start(tx: Transaction, row: StartRow) -> Started:
    """Insert start key, run, events and tasks, or find the run that has the key already."""
    a, now, t = row.advance, tx.now, tx.tables
    if row.run_key:
        key = StartKey(a.tenant, row.workflow, row.run_key, a.run_id, row.input_hash, now)
        if not tx.keep(t.start_keys, key):
            found = t.start_keys.rows[t.start_keys.key(key)]
            return Started(found.run_id, True, found.input_hash)
    ended = now if a.closed else 0
    run = (
        *(a.run_id, a.tenant, row.workflow, row.version, row.run_key, row.input_hash, row.subject, a.status),
        *(a.new_seq, a.new_hash, "", row.priority, row.trace, clean(row.actor), a.error_code, now, now, ended),
    )
    tx.insert(t.runs, Run._make(run))
    follow(tx, a, "")
    return Started(a.run_id, False, row.input_hash)


def move(tx: Transaction, advance: Advance, session: str = "") -> bool:
    """The compare-and-set on the run's row. False: somebody was faster."""
    a = advance
    run = tx.tables.runs.get(a.run_id)
    if run is None or (run.last_seq, run.last_hash) != (a.seq, a.hash):
        return False
    tx.update(
        tx.tables.runs,
        run,
        last_seq=a.new_seq,
        last_hash=a.new_hash,
        status=a.status,
        session=session,
        error_code=a.error_code,
        updated_at=tx.now,
        ended_at=tx.now if a.closed else run.ended_at,
    )
    return True


def apply(tx: Transaction, advance: Advance) -> None:
    """Move the run and write what follows. Raises `InternalError` NX-S106 when the run stands elsewhere."""
    if not move(tx, advance):
        raise InternalError(
            f"run {advance.run_id} is not at sequence {advance.seq} with the expected hash", code="NX-S106"
        )
    follow(tx, advance, "")


def follow(tx: Transaction, advance: Advance, session: str) -> bool:
    """Append and change what follows from the events; True when the task that `session` wanted is now its own."""
    a, t = advance, tx.tables
    for event in a.events:
        tx.insert(t.events, Event(a.run_id, event))
    for key in a.drop_tasks:
        _drop(tx, key)
    for name in a.clear_timers:
        timer = t.timers.get(a.run_id, name)
        if timer is not None:
            tx.delete(t.timers, timer)
    for new in a.set_timers:
        if not tx.keep(t.timers, Timer(a.run_id, new.timer, new.due)):
            tx.update(t.timers, t.timers.rows[a.run_id, new.timer], due=new.due)
    claimed = _add_tasks(tx, a, session)
    _settle(tx, a)
    _turn(tx, a, a.applied, ("RECORDED", "UNKNOWN", "IN_DOUBT"), "APPLIED")
    _turn(tx, a, a.doubted, ("CLAIMED", "UNKNOWN", "FAILED"), "IN_DOUBT")
    for key_, since in a.undos:
        effect = t.effects.get(a.tenant, key_)
        if effect is not None and effect.run_id == a.run_id:
            tx.update(t.effects, effect, undo_from=since)
    if a.closed:
        for task in t.tasks.of_run(a.run_id):
            tx.delete(t.tasks, task)
        for timer in t.timers.of_run(a.run_id):
            tx.delete(t.timers, timer)
    return claimed and not a.closed


def cancel_ready(tx: Transaction, keys: Sequence[TaskKey], *, untried: bool = False) -> frozenset[TaskKey]:
    """Take READY tasks away; gives those that were still READY, and `untried` if so asked."""
    tasks = tx.tables.tasks.rows
    chosen = [key for key in keys if not (untried and key in tasks and _was_tried(tx, tasks[key]))]
    return frozenset(key for key in chosen if _drop(tx, key, ("READY",)))


def restore(tx: Transaction, tenant: str, tasks: Sequence[NewTask]) -> None:
    """Put tasks back, READY; one that is there is held by somebody and stays as it is."""
    for task in tasks:
        row = Task(*task_row(task, tenant, tx.now, ""))
        tx.keep(tx.tables.tasks, row._replace(deliveries=1) if _was_tried(tx, row) else row)


def _was_tried(tx: Transaction, task: Task) -> bool:
    """Whether somebody was given the effect of a task and did not say that it did not happen."""
    effect = tx.tables.effects.get(task.tenant, task.effect_key) if task.effect_key else None
    tried = ("CLAIMED", "UNKNOWN", "RECORDED", "APPLIED")
    return effect is not None and effect[4:8] == task[:4] and effect.state in tried


def _drop(tx: Transaction, key: TaskKey, states: tuple[str, ...] = ("READY", "CLAIMED")) -> bool:
    task = tx.tables.tasks.rows.get(key)
    if task is None or task.state not in states:
        return False
    tx.delete(tx.tables.tasks, task)
    return True


def _add_tasks(tx: Transaction, advance: Advance, session: str) -> bool:
    a, t = advance, tx.tables
    wanted = claimable(a, tx.now) if session else None
    act = Effect(*new_effect_row(wanted, a.tenant, tx.now, session)) if wanted and wanted.effect else None
    # An effect that is there already is for the ordinary claim to judge; here it only means: not now.
    if act is not None and not tx.keep(t.effects, act):
        wanted = None
    for task in a.new_tasks:
        tx.insert(t.tasks, Task._make(task_row(task, a.tenant, tx.now, session if task is wanted else "")))
    return wanted is not None


def _settle(tx: Transaction, advance: Advance) -> None:
    """What a person decided; what a worker recorded meanwhile stays."""
    for settled in advance.settled:
        effect = tx.tables.effects.get(advance.tenant, settled.key)
        open_states = ("UNKNOWN", "IN_DOUBT", "CLAIMED") if settled.state == "APPLIED" else ("UNKNOWN", "IN_DOUBT")
        if effect is None or effect.run_id != advance.run_id or effect.state not in open_states:
            continue
        told: dict[str, Any] = {"state": settled.state, "result": settled.result, "result_hash": settled.result_hash}
        told |= {"reference": clean(settled.reference), "recorded_at": tx.now}
        tx.update(tx.tables.effects, effect, **told, token=effect.token + (settled.state == "APPLIED"))


def _turn(tx: Transaction, advance: Advance, keys: Sequence[str], states: tuple[str, ...], state: str) -> None:
    """Effects of this run that are in one of `states` are in another one now."""
    for key in keys:
        effect = tx.tables.effects.get(advance.tenant, key)
        if effect is not None and effect.run_id == advance.run_id and effect.state in states:
            tx.update(tx.tables.effects, effect, state=state)
