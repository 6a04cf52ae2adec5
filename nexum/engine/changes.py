"""Which rows change when a state becomes another: tasks, timers and effects follow from the two states alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Dedupes
from nexum.core.run.codec import cell_of
from nexum.core.run.events import RUN, Cell
from nexum.core.run.fold import Event
from nexum.core.run.ledger import deed_of, is_undo
from nexum.core.run.places import cell_of_timer, timer_of
from nexum.core.run.plan import Plan
from nexum.core.run.rows import has_task, task_of
from nexum.core.run.state import CellState, CellStatus, State
from nexum.store.api import Advance, EventRow, NewEffect, NewTask, NewTimer, SettledEffect, TaskKey

_STANDS = frozenset({CellStatus.FAILED, CellStatus.CANCELLED, CellStatus.SKIPPED})  # an undo that did not take place


def changes(
    plan: Plan,
    before: State,
    after: State,
    events: Sequence[Event],
    rows: tuple[EventRow, ...],
    *,
    expected: bytes,
    also_drop: TaskKey | None = None,
    claim: bool = False,
    now: int = 0,
    applied: tuple[str, ...] = (),
    doubted: tuple[str, ...] = (),
    settled: tuple[SettledEffect, ...] = (),
) -> Advance:
    """The advance from `before` (at hash `expected`) to `after`.

    `also_drop` is the task that was just executed. With `claim`, the first new task that is due is claimed.
    """
    drop: list[TaskKey] = [] if also_drop is None else [also_drop]
    new: list[NewTask] = []
    set_timers: list[NewTimer] = []
    clear_timers: list[str] = []
    undos: list[tuple[str, int]] = []
    for cell in _touched(events):
        was, became = before.cells.get(cell), after.cells.get(cell)
        had = task_key(before.run_id, cell, was) if was is not None and has_task(was) else None
        has = task_key(after.run_id, cell, became) if became is not None and has_task(became) else None
        if had is not None and had != has and had != also_drop:
            drop.append(had)
        if became is not None and has is not None and had != has:
            new.append(_new_task(plan, after, cell, became, has))
        if is_undo(cell) and became is not None:
            undos.extend(_taken_back(after, cell, was, became))
        timer = timer_of(cell)
        if timer in after.timers and timer not in before.timers:
            set_timers.append(NewTimer(timer, after.timers[timer]))
        elif timer in before.timers and timer not in after.timers:
            clear_timers.append(timer)
    index = next((i for i, task in enumerate(new) if _begins(after, task, now)), -1) if claim else -1
    ended = after.phase.is_ended
    return Advance(
        run_id=after.run_id,
        tenant=after.tenant,
        seq=before.seq,
        hash=expected,
        events=rows,
        status=str(after.phase),
        drop_tasks=tuple(drop),
        new_tasks=tuple(new),
        claim=index,
        set_timers=tuple(set_timers),
        clear_timers=tuple(clear_timers),
        applied=applied,
        doubted=doubted,
        settled=settled,
        undos=tuple(undos),
        closed=ended,
        error_code=after.cause_error.code if after.cause_error is not None and ended else "",
    )


def _begins(after: State, task: NewTask, now: int) -> bool:
    """Whether a new task may be claimed at once. To undo what another run may rely on, its claim must look first."""
    cell = cell_of_task(task.key)
    return task.not_before <= now and not (is_undo(cell) and after.cells[deed_of(cell)].business)


def _taken_back(after: State, undo: Cell, was: CellState | None, became: CellState) -> list[tuple[str, int]]:
    """Since when the act of an undo is taken back, once that changes; 0 when it was given up, and the act stands."""
    deed = after.cells[deed_of(undo)]
    if not deed.business:
        return []
    if was is None:
        return [(deed.key, after.now)]
    stands = became.status in _STANDS and was.status is not became.status
    return [(deed.key, 0)] if stands else []


def waiting_tasks(state: State) -> list[TaskKey]:
    """The keys of all tasks that a state has."""
    return [task_key(state.run_id, cell, at) for cell, at in _with_task(state)]


def new_tasks(plan: Plan, state: State) -> tuple[NewTask, ...]:
    """The tasks that follow from a state, all of them."""
    found = _with_task(state)
    return tuple(_new_task(plan, state, cell, at, task_key(state.run_id, cell, at)) for cell, at in found)


def _with_task(state: State) -> list[tuple[Cell, CellState]]:
    return [(cell, at) for cell in sorted(state.open) if has_task(at := state.cells[cell])]


def task_key(run_id: str, cell: Cell, at: CellState) -> TaskKey:
    """The key of a cell's current attempt."""
    return TaskKey(run_id, cell.path, cell.visit, cell.item, at.attempt)


def cell_of_task(task: TaskKey) -> Cell:
    """The cell that a task executes an attempt of."""
    return Cell(task.path, task.visit, task.item)


def _new_task(plan: Plan, state: State, cell: Cell, at: CellState, key: TaskKey) -> NewTask:
    task = task_of(plan, cell, at)
    node = plan.node_at(cell.path)
    effect = None
    if isinstance(node, Effect) and not node.io:
        effect = NewEffect(
            key=at.key,
            scope=node.tool if at.business else "",
            business_key=at.business,
            input_hash=at.input_hash,
            tool=node.tool,
            policy=node.doubt.policy,
            ttl=node.doubt.ttl if isinstance(node.doubt, Dedupes) else 0,
        )
    return NewTask(
        key=key,
        kind=task.kind,
        queue=plan.graph.queue,
        priority=task.priority,
        not_before=task.not_before,
        start_by=task.start_by,
        max_run=task.max_run,
        effect=effect,
    )


def _touched(events: Iterable[Event]) -> list[Cell]:
    """The cells that events speak of, each once, in order."""
    cells: dict[Cell, None] = {}
    for event in events:
        timer = getattr(event.body, "timer", "")
        cell = cell_of_timer(timer) if timer else cell_of(event.body)
        if cell != RUN:
            cells[cell] = None
    return list(cells)
