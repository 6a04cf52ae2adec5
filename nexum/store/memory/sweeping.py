"""What has been left lying: due timers, old mail, tasks that nobody was told of or that came too late."""

from __future__ import annotations

from nexum.store.api import Due, TaskKey
from nexum.store.memory.calls import open_calls
from nexum.store.memory.claiming import order
from nexum.store.memory.rows import Task
from nexum.store.memory.transaction import Transaction
from nexum.store.shapes import LATER, Proven

_MOST = 6  # doublings of the wait between two announcements


def proven_dead(tx: Transaction, limit: int) -> list[Proven]:
    """Effects in doubt that one process alone has sent, which fell silent first and was proven dead later."""
    found = []
    for effect in tx.tables.effects.rows.values():
        holder = tx.tables.sessions.get(effect.session)
        if effect.state == "IN_DOUBT" and effect.token == 1 and holder is not None and holder.proof.startswith(LATER):
            found.append((holder.ended_at, TaskKey(*effect[4:9])))
    return [Proven(key, ended_at) for ended_at, key in sorted(found)[:limit]]


def due_timers(tx: Transaction, limit: int) -> list[Due]:
    """Timers that are due, oldest first."""
    due = [(timer.due, timer.run_id, timer.timer) for timer in tx.tables.timers.rows.values() if timer.due <= tx.now]
    return [Due(run_id, name, at) for at, run_id, name in sorted(due)[:limit]]


def old_mail(tx: Transaction, older_than: int, limit: int) -> list[str]:
    """Runs with mail that has lain for so long (us), the oldest first."""
    oldest: dict[str, int] = {}
    for letter in tx.tables.inbox.rows.values():
        if letter.at <= tx.now - older_than:
            oldest[letter.run_id] = min(letter.at, oldest.get(letter.run_id, letter.at))
    return sorted(oldest, key=lambda run_id: (oldest[run_id], run_id))[:limit]


def ready_untold(tx: Transaction, older_than: int, limit: int) -> list[tuple[TaskKey, str]]:
    """READY tasks not announced for `older_than`; the wait doubles with each announcement, up to 64 times."""
    untold = [
        task
        for task in tx.tables.tasks.rows.values()
        if task.state == "READY"
        and task.not_before <= tx.now
        and max(task.created_at, task.not_before, task.told_at) + (older_than << min(task.told_count, _MOST)) <= tx.now
    ]
    found = []
    for task in sorted(untold, key=order)[:limit]:
        tx.update(tx.tables.tasks, task, told_at=tx.now, told_count=task.told_count + 1)
        found.append((task.key, task.queue))
    return found


def late_starts(tx: Transaction, limit: int) -> list[tuple[TaskKey, str]]:
    """READY tasks whose schedule_to_start has passed, and that nobody ever began."""
    late = [
        task
        for task in tx.tables.tasks.rows.values()
        if task.state == "READY" and 0 < task.start_by <= tx.now and is_untouched(tx, task)
    ]
    late.sort(key=lambda task: (task.start_by, task.key))
    return [(task.key, task.queue) for task in late[:limit]]


def is_untouched(tx: Transaction, task: Task) -> bool:
    """Whether nobody has begun it, and no call of an earlier attempt has an unknown outcome."""
    return not task.deliveries and not (task.kind == "effect" and open_calls(tx, task.key))
