"""Which tasks and timers exist: a function of the state, and nothing else.

`tasks_of` is the definition; the engine writes differences as events happen, `nexum doctor --rebuild` and the property
tests compare the two. A task exists for each cell whose attempt may be executed or is under way; while a run is suspended,
those that nobody holds are out of the queue, and its resumption puts them back.
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.core.run.events import Cell
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellState, CellStatus, State

_HAS_TASK = frozenset({CellStatus.SCHEDULED, CellStatus.STOPPING})


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """One attempt that may be executed. `start_by` is the instant at which schedule_to_start ends (0: never)."""

    cell: Cell
    attempt: int
    kind: str
    priority: int
    not_before: int
    start_by: int
    max_run: int


def tasks_of(plan: Plan, state: State) -> tuple[Task, ...]:
    """All tasks of the run, in order."""
    if state.phase.is_ended:
        return ()
    return tuple(sorted(task_of(plan, cell, at) for cell in state.open if has_task(at := state.cells[cell])))


def has_task(at: CellState) -> bool:
    """Whether a cell in this state has a task."""
    return at.status in _HAS_TASK


def task_of(plan: Plan, cell: Cell, at: CellState) -> Task:
    """The task of a cell's current attempt."""
    node = plan.node_at(cell.path)
    limit = node.timeouts.schedule_to_start
    return Task(
        cell=cell,
        attempt=at.attempt,
        kind=at.kind,
        priority=node.priority,
        not_before=at.not_before,
        start_by=max(at.scheduled_at, at.not_before) + limit if limit else 0,
        max_run=node.timeouts.start_to_close,
    )
