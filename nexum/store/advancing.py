"""A run moves on, in plain statements: compare and set, append, swap tasks. The law that the SQL functions must match."""

from __future__ import annotations

from collections.abc import Sequence

from nexum.errors import InternalError
from nexum.store.api import Advance, NewTask, TaskKey
from nexum.store.rows import (
    INSERT_EFFECT,
    INSERT_EVENTS,
    INSERT_TASKS,
    RESTORE_TASKS,
    claimable,
    clean,
    event_row,
    new_effect_row,
    task_row,
)
from nexum.store.statement import Statement, Transaction

_MOVE = Statement("""
    UPDATE nexum_runs
       SET last_seq = :new_seq, last_hash = :new_hash, status = :status, session = :session, error_code = :error_code,
           updated_at = {now}, ended_at = CASE WHEN :closed = 1 THEN {now} ELSE ended_at END
     WHERE run_id = :run_id AND last_seq = :seq AND last_hash = :hash""")
_CELL = "run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt"
_DROP_TASK = Statement(f"DELETE FROM nexum_tasks WHERE {_CELL}")  # noqa: S608
_DROP_TASKS = Statement("DELETE FROM nexum_tasks WHERE run_id = :run_id")
_DROP_TIMERS = Statement("DELETE FROM nexum_timers WHERE run_id = :run_id")
_CLEAR_TIMER = Statement("DELETE FROM nexum_timers WHERE run_id = :run_id AND timer = :timer")
_SET_TIMER = Statement("""
    INSERT INTO nexum_timers (run_id, timer, due) VALUES (:run_id, :timer, :due)
    ON CONFLICT (run_id, timer) DO UPDATE SET due = excluded.due""")
_APPLY_EFFECT = Statement("""
    UPDATE nexum_effects SET state = 'APPLIED'
     WHERE tenant = :tenant AND key = :key AND run_id = :run_id AND state IN ('RECORDED', 'UNKNOWN', 'IN_DOUBT')""")
_DOUBT_EFFECT = Statement("""
    UPDATE nexum_effects SET state = 'IN_DOUBT'
     WHERE tenant = :tenant AND key = :key AND run_id = :run_id AND state IN ('CLAIMED', 'UNKNOWN', 'FAILED')""")
# What a worker recorded meanwhile is better evidence than an answer by hand, and stays; what one brings after the answer
# is fenced off by the token, and kept as evidence: also a claim that is under way, when a late result has come before it.
_SETTLE_EFFECT = Statement("""
    UPDATE nexum_effects
       SET state = :state, result = :result, result_hash = :result_hash, reference = :reference, recorded_at = {now},
           token = CASE WHEN :state = 'APPLIED' THEN token + 1 ELSE token END
     WHERE tenant = :tenant AND key = :key AND run_id = :run_id
       AND (state IN ('UNKNOWN', 'IN_DOUBT') OR (state = 'CLAIMED' AND :state = 'APPLIED'))""")
_UNDO_EFFECT = Statement("""
    UPDATE nexum_effects SET undo_from = :since WHERE tenant = :tenant AND key = :key AND run_id = :run_id""")
_CANCEL = Statement(f"DELETE FROM nexum_tasks WHERE {_CELL} AND state = 'READY'")  # noqa: S608
# A task that was given back by a dead session has an effect that is still claimed: it may have been made. Where its result
# is recorded, the fact is on its way.
_TRIED = """EXISTS (
        SELECT 1 FROM nexum_effects AS e
         WHERE e.tenant = nexum_tasks.tenant AND e.key = nexum_tasks.effect_key AND nexum_tasks.effect_key <> ''
           AND e.run_id = nexum_tasks.run_id AND e.path = nexum_tasks.path AND e.visit = nexum_tasks.visit
           AND e.item = nexum_tasks.item AND e.state IN ('CLAIMED', 'UNKNOWN', 'RECORDED', 'APPLIED'))"""
_CANCEL_UNTRIED = Statement(f"DELETE FROM nexum_tasks WHERE {_CELL} AND state = 'READY' AND NOT {_TRIED}")  # noqa: S608
_DELIVERED = Statement(f"""
    UPDATE nexum_tasks SET deliveries = 1
     WHERE run_id = :run_id AND state = 'READY' AND deliveries = 0 AND {_TRIED}""")  # noqa: S608


def move(tx: Transaction, advance: Advance, session: str = "") -> bool:
    """The compare-and-set on the run's row; it is also the lock. False: somebody was faster."""
    a = advance
    moved = tx.run(
        _MOVE,
        run_id=a.run_id,
        seq=a.seq,
        hash=a.hash,
        new_seq=a.new_seq,
        new_hash=a.new_hash,
        status=a.status,
        session=session,
        error_code=a.error_code,
        closed=int(a.closed),
    )
    return moved == 1


def apply(tx: Transaction, advance: Advance, now: int) -> None:
    """Move the run and write what follows. Raises `InternalError` NX-S106 when the run stands elsewhere."""
    if not move(tx, advance):
        raise InternalError(
            f"run {advance.run_id} is not at sequence {advance.seq} with the expected hash", code="NX-S106"
        )
    follow(tx, advance, now, "")


def follow(tx: Transaction, advance: Advance, now: int, session: str) -> bool:
    """Append and change what follows from the events; True when the task that `session` wanted is now its own."""
    a = advance
    tx.insert(INSERT_EVENTS, [event_row(a.run_id, event) for event in a.events])
    for key in a.drop_tasks:
        tx.run(_DROP_TASK, **key._asdict())
    for timer in a.clear_timers:
        tx.run(_CLEAR_TIMER, run_id=a.run_id, timer=timer)
    for new in a.set_timers:
        tx.run(_SET_TIMER, run_id=a.run_id, timer=new.timer, due=new.due)
    claimed = _add_tasks(tx, a, now, session)
    for settled in a.settled:  # before `applied`, which then finds only what a worker recorded
        reference = clean(settled.reference)
        tx.run(_SETTLE_EFFECT, **{**settled._asdict(), "reference": reference}, tenant=a.tenant, run_id=a.run_id)
    for key_ in a.applied:
        tx.run(_APPLY_EFFECT, tenant=a.tenant, key=key_, run_id=a.run_id)
    for key_ in a.doubted:
        tx.run(_DOUBT_EFFECT, tenant=a.tenant, key=key_, run_id=a.run_id)
    for key_, since in a.undos:
        tx.run(_UNDO_EFFECT, tenant=a.tenant, key=key_, run_id=a.run_id, since=since)
    if a.closed:
        tx.run(_DROP_TASKS, run_id=a.run_id)
        tx.run(_DROP_TIMERS, run_id=a.run_id)
    return claimed and not a.closed


def _add_tasks(tx: Transaction, advance: Advance, now: int, session: str) -> bool:
    wanted = claimable(advance, now) if session else None
    if wanted is not None and wanted.effect is not None:
        # An effect that is there already is for the ordinary claim to judge; here it only means: not now.
        row = new_effect_row(wanted, advance.tenant, now, session)
        if not tx.insert(INSERT_EFFECT, [row]):
            wanted = None
    holders = [session if task is wanted else "" for task in advance.new_tasks]
    rows = [
        task_row(task, advance.tenant, now, holder) for task, holder in zip(advance.new_tasks, holders, strict=True)
    ]
    tx.insert(INSERT_TASKS, rows)
    return wanted is not None


def cancel_ready(tx: Transaction, keys: tuple[TaskKey, ...], *, untried: bool = False) -> frozenset[TaskKey]:
    """Take READY tasks away; gives those that were still READY, and `untried` if so asked."""
    cancel = _CANCEL_UNTRIED if untried else _CANCEL
    return frozenset(key for key in keys if tx.run(cancel, **key._asdict()))


def restore(tx: Transaction, tenant: str, tasks: Sequence[NewTask], now: int) -> None:
    """Put tasks back, READY; one that is there is held by somebody and stays as it is."""
    if tx.insert(RESTORE_TASKS, [task_row(task, tenant, now, "") for task in tasks]):
        tx.run(_DELIVERED, run_id=tasks[0].key.run_id)
