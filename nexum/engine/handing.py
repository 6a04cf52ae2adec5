"""Handing work out: what an attempt needs, read from the run as it stands."""

from __future__ import annotations

from nexum.broker.doorbell import Doorbell
from nexum.core.run.events import Cell
from nexum.core.run.ledger import calls_of, is_undo
from nexum.core.run.places import call_name, inner_of, parent_of
from nexum.core.run.state import CellState
from nexum.engine.loading import read_payload
from nexum.engine.memory import Known
from nexum.engine.work import Repair, Work
from nexum.store.api import Advance, StepAnswer, Store, TaskKey


def work_of(
    store: Store,
    known: Known,
    cell: Cell,
    at: CellState,
    task: TaskKey,
    *,
    token: int,
    deliveries: int,
    max_run: int,
    now: int,
) -> Work:
    """The work of a task that a session holds with `token`; `max_run` and `now` are microseconds."""
    state = known.state
    return Work(
        task=task,
        token=token,
        deliveries=deliveries,
        graph=known.plan.graph,
        node=known.plan.node_at(cell.path),
        cell=cell,
        attempt=task.attempt,
        inputs=tuple((name, None if ref is None else read_payload(store, known, ref)) for name, ref in at.inputs),
        input_hash=at.input_hash,
        key=_key(known, cell, at),
        model=at.model,
        max_run=max_run,
        now=now,
        scheduled_at=at.scheduled_at,
        tenant=state.tenant,
        run_key=state.run_key,
        trace=known.trace,
        repair=_repair(store, known, cell),
        calls=_calls(store, known, cell),
        doubtful=at.doubtful,
        is_shared=bool(at.business),
    )


def announce(doorbell: Doorbell, made: Advance, answer: StepAnswer) -> None:
    """Ring for the tasks that a step has made, but for the one that was claimed with it."""
    for place, task in enumerate(made.new_tasks):
        if not (answer.claimed and place == made.claim) and task.not_before <= answer.now:
            doorbell.ring(task.queue, task.key)


def _key(known: Known, cell: Cell, at: CellState) -> str:
    """The key of an effect; whoever asks its provider is told it too."""
    parent = parent_of(cell)
    return known.state.cells[parent].key if inner_of(cell) == "reconcile" and parent is not None else at.key


def _calls(store: Store, known: Known, cell: Cell) -> tuple[tuple[str, bytes], ...]:
    """What an undo is told of the calls of its effect."""
    parent = parent_of(cell)
    if parent is None or not known.plan.calls or not is_undo(cell):
        return ()
    made = [(call_name(deed.cell), deed.output) for deed in calls_of(known.state, parent)]
    return tuple((name, read_payload(store, known, ref)) for name, ref in made if ref is not None)


def _repair(store: Store, known: Known, cell: Cell) -> Repair | None:
    parent = parent_of(cell)
    if parent is None or "/repair." not in cell.path:
        return None
    above = known.state.cells[parent]
    assert above.error is not None
    raw = read_payload(store, known, above.raw) if above.raw is not None else b""
    return Repair(above.rounds, raw, above.error)
