"""Fold every run again, and compare what follows from its events with what is stored.

The database may be at work meanwhile: a run is compared only if it stood still while it was read. A run with mail that is
not folded yet is left out: its rows are ahead of its events, as they should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nexum.core.run.codec import GENESIS
from nexum.core.run.rows import Task, tasks_of
from nexum.core.run.state import State
from nexum.engine.graphs import Graphs
from nexum.engine.loading import extend
from nexum.engine.memory import Known
from nexum.errors import NexumError
from nexum.store import reading
from nexum.store.api import Head
from nexum.store.reading import Position, RunQuery
from nexum.store.tables import runs, tasks, timers
from nexum.store.verbs import Verbs

PAGE = 200
TRIES = 5

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass(slots=True)
class Comparison:
    """What comparing all runs gave. `busy` runs were at work every time they were looked at, or have mail."""

    runs: int = 0
    busy: int = 0
    differences: list[str] = field(default_factory=list)


def compare(store: Verbs) -> Comparison:
    """Compare every run. Raises `UnavailableError` when the database does not answer."""
    found = Comparison()
    graphs = Graphs(store)
    for run_id in _all(store):
        found.runs += 1
        differences = _steady(store, graphs, run_id)
        if differences is None:
            found.busy += 1
        else:
            found.differences.extend(f"run {run_id}: {said}" for said in differences)
    return found


def _all(store: Verbs) -> Iterator[str]:
    after: Position | None = None
    while page := reading.list_runs(store, RunQuery(), limit=PAGE, after=after):
        yield from (row.run_id for row in page)
        after = Position(page[-1].created_at, page[-1].run_id)


def _steady(store: Verbs, graphs: Graphs, run_id: str) -> list[str] | None:
    """The differences of one run that stood still while it was read; None when it never did."""
    for _ in range(TRIES):
        before = store.head(run_id)
        if before is None or store.has_mail(run_id):
            continue
        differences = _differences(store, graphs, before)
        if store.head(run_id) == before and not store.has_mail(run_id):
            return differences
    return None


def _differences(store: Verbs, graphs: Graphs, head: Head) -> list[str]:
    try:
        plan = graphs.plan(head.workflow, head.version)
        known = Known(plan, State(head.run_id, tenant=head.tenant), GENESIS, head.trace)
        extend(known, store.events_after(head.run_id, 0))
        state = known.state
        wanted = {(t.cell.path, t.cell.visit, t.cell.item, t.attempt): t for t in tasks_of(plan, state)}
    except NexumError as error:
        return [f"cannot be folded: [{error.code}] {error.message}"]
    (row,) = store.select(runs.select().where(runs.c.run_id == head.run_id))
    stored = dict(zip(runs.c.keys(), row, strict=True))
    cause = state.cause_error.code if state.cause_error is not None and state.phase.is_ended else ""
    should = {
        "status": str(state.phase),
        "last_seq": state.seq,
        "last_hash": known.hash,
        "workflow": state.workflow,
        "version": state.version,
        "run_key": state.run_key,
        "error_code": cause,
    }
    said = [
        f"runs.{name} is {_shown(stored[name])}, should be {_shown(value)}"
        for name, value in should.items()
        if _plain(stored[name]) != value
    ]
    if bool(stored["ended_at"]) != state.phase.is_ended:
        said.append(f"runs.ended_at is {stored['ended_at']}, and the run is {state.phase}")
    there = _stored_tasks(store, head.run_id)
    expected = {
        key: (t.kind, plan.graph.queue, t.priority, _start_by(t, there.get(key)), t.max_run)
        for key, t in wanted.items()
    }
    if state.suspended:  # its tasks left the queue, but for those that were under way
        expected = {key: row for key, row in expected.items() if key in there}
    said += _compared("task", there, expected)
    due = {(timer,): (at,) for timer, at in state.timers.items()}
    return said + _compared("timer", _stored_timers(store, head.run_id), due)


def _start_by(task: Task, row: tuple[Any, ...] | None) -> int:
    """The end of schedule_to_start; later than the events say where nobody was let begin for a while."""
    return max(task.start_by, row[3]) if row is not None and task.start_by else task.start_by


def _stored_tasks(store: Verbs, run_id: str) -> Rows:
    c = tasks.c
    chosen = tasks.select().with_only_columns(
        c.path, c.visit, c.item, c.attempt, c.kind, c.queue, c.priority, c.start_by, c.max_run
    )
    return {row[:4]: row[4:] for row in map(tuple, store.select(chosen.where(c.run_id == run_id)))}


def _stored_timers(store: Verbs, run_id: str) -> Rows:
    chosen = timers.select().with_only_columns(timers.c.timer, timers.c.due)
    return {(name,): (due,) for name, due in store.select(chosen.where(timers.c.run_id == run_id))}


def _compared(what: str, stored: Rows, expected: Rows) -> list[str]:
    said = [f"{what} {key} is missing" for key in sorted(expected.keys() - stored.keys())]
    said += [f"{what} {key} should not be there" for key in sorted(stored.keys() - expected.keys())]
    said += [
        f"{what} {key} is {stored[key]}, should be {expected[key]}"
        for key in sorted(expected.keys() & stored.keys())
        if stored[key] != expected[key]
    ]
    return said


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _shown(value: Any) -> str:
    value = _plain(value)
    return value.hex()[:12] if isinstance(value, bytes) else repr(value)
