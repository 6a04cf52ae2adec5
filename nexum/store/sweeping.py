"""What has been left lying: due timers, old mail, tasks that nobody was told of or that came too late. Only reads, but one."""

from __future__ import annotations

from nexum.store.api import Due, TaskKey
from nexum.store.shapes import LATER, Proven
from nexum.store.statement import Statement, Transaction

_CELL = "run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt"
_DUE = Statement("SELECT run_id, timer, due FROM nexum_timers WHERE due <= {now} ORDER BY due LIMIT :most")
_PROVEN = Statement("""
    SELECT e.run_id, e.path, e.visit, e.item, e.attempt, s.ended_at
      FROM nexum_effects e JOIN nexum_sessions s ON s.session = e.session
     WHERE e.state = 'IN_DOUBT' AND e.token = 1 AND s.proof LIKE :later
     ORDER BY s.ended_at, e.run_id, e.path, e.visit, e.item LIMIT :most""")
_OLD_MAIL = Statement("""
    SELECT run_id FROM nexum_inbox WHERE at <= {now} - :older GROUP BY run_id ORDER BY MIN(at) LIMIT :most""")
_UNTOLD = """
    SELECT run_id, path, visit, item, attempt, queue, told_count FROM nexum_tasks
     WHERE state = 'READY' AND not_before <= {{now}}
       AND {latest} + :older * CASE WHEN told_count > 6 THEN 64 ELSE 1 << CAST(told_count AS {whole}) END <= {{now}}
     ORDER BY priority, created_at LIMIT :most"""
_READY_UNTOLD = Statement(
    _UNTOLD.format(latest="GREATEST(created_at, not_before, told_at)", whole="INTEGER"),
    sqlite=_UNTOLD.format(latest="MAX(created_at, not_before, told_at)", whole="INTEGER"),
)
_TELL = Statement(f"""
    UPDATE nexum_tasks SET told_at = {{now}}, told_count = told_count + 1
     WHERE {_CELL} AND state = 'READY' AND told_count = :told_count""")  # noqa: S608
# Nobody has begun it, and no call of an earlier attempt has an unknown outcome: what is late to start was certainly not sent.
UNTOUCHED = """deliveries = 0 AND NOT (kind = 'effect' AND EXISTS (
        SELECT 1 FROM nexum_effects AS e
         WHERE e.run_id = nexum_tasks.run_id AND e.visit = nexum_tasks.visit AND e.item = nexum_tasks.item
           AND substr(e.path, 1, length(nexum_tasks.path) + 4) = nexum_tasks.path || '/io.'
           AND e.state IN ('CLAIMED', 'UNKNOWN', 'IN_DOUBT')))"""
_LATE = Statement(f"""
    SELECT run_id, path, visit, item, attempt, queue FROM nexum_tasks
     WHERE state = 'READY' AND start_by > 0 AND start_by <= {{now}} AND {UNTOUCHED} ORDER BY start_by LIMIT :most""")  # noqa: S608


def proven_dead(tx: Transaction, limit: int) -> list[Proven]:
    """Effects in doubt that one process alone has sent, which fell silent first and was proven dead later."""
    return [Proven(TaskKey(*row[:5]), row[5]) for row in tx.rows(_PROVEN, later=f"{LATER}%", most=limit)]


def due_timers(tx: Transaction, limit: int) -> list[Due]:
    """Timers that are due, oldest first."""
    return [Due(*row) for row in tx.rows(_DUE, most=limit)]


def old_mail(tx: Transaction, older_than: int, limit: int) -> list[str]:
    """Runs with mail that has lain for so long (us), the oldest first."""
    return [row[0] for row in tx.rows(_OLD_MAIL, older=older_than, most=limit)]


def ready_untold(tx: Transaction, older_than: int, limit: int) -> list[tuple[TaskKey, str]]:
    """READY tasks not announced for `older_than`; the wait doubles with each announcement, up to 64 times.

    A long backlog is not a loss: without the doubling every sweep would announce all of it again. Two sweepers share the
    work by compare-and-set on the count.
    """
    found = []
    for row in tx.rows(_READY_UNTOLD, older=older_than, most=limit):
        key = TaskKey(*row[:5])
        if tx.run(_TELL, **key._asdict(), told_count=row[6]):
            found.append((key, row[5]))
    return found


def late_starts(tx: Transaction, limit: int) -> list[tuple[TaskKey, str]]:
    """READY tasks whose schedule_to_start has passed, and that nobody ever began."""
    return [(TaskKey(*row[:5]), row[5]) for row in tx.rows(_LATE, most=limit)]
