"""What people ask for a node: another attempt now, to go on without it, or to let it fail.

A request is a fact; whether it still fits is judged at the moment when it is recorded, and the very next decision answers
it. One rule protects money here: nothing is put in place of an effect that may have acted. Its outcome comes first.
"""

from __future__ import annotations

from nexum.core.graph.nodes import Llm
from nexum.core.run.attempts import abandon_round
from nexum.core.run.events import (
    Body,
    Cell,
    Error,
    FailRequested,
    NodeCompleted,
    NodeFailed,
    NodeSkipped,
    NodeStopping,
    RetryRequested,
    RetryScheduled,
    SkipRequested,
)
from nexum.core.run.ledger import is_undo
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellState, CellStatus, Phase, Requested, State

BY_HAND = "by hand: "

Request = RetryRequested | SkipRequested | FailRequested


def misfit(state: State, request: Request, now: int) -> str:
    """Why the request does not fit the run as it stands at `now`; "" when it does."""
    cell = request.cell
    at = state.cells.get(cell)
    if state.suspended:
        return "the run is suspended"
    if at is None:
        return "nothing was scheduled there"
    if "/" in cell.path and not is_undo(cell):
        return f"it is a part of {cell.path.rpartition('/')[0]}"
    if at.status.is_terminal:
        return f"the cell is {at.status}"
    if state.phase is Phase.CLOSING and not is_undo(cell):
        return "the run is closing"
    if at.status is CellStatus.IN_DOUBT:
        return "the effect is in doubt, and only evidence ends a doubt"
    if at.status is CellStatus.STOPPING:
        return "it is being stopped already"
    match request:
        case RetryRequested():
            return _no_retry(at, now)
        case SkipRequested():
            return _no_skip(at, request, now)
        case FailRequested():
            return ""


def _no_retry(at: CellState, now: int) -> str:
    if not _rests(at, now):
        return "an attempt is ready or under way"
    return "" if at.attempt else "what it needs was not recorded"


def _no_skip(at: CellState, request: SkipRequested, now: int) -> str:
    if request.output is None and is_undo(request.cell):
        return "an undo is not skipped but given up: let it fail, or say what it would have returned"
    if at.kind == "effect" and not (_rests(at, now) and not at.doubtful):
        return "an attempt of this effect may have acted"
    return ""


def _rests(at: CellState, now: int) -> bool:
    """Whether certainly nobody is executing an attempt: it is parked, or waits for its time."""
    return at.status is CellStatus.PARKED or (at.status is CellStatus.SCHEDULED and at.not_before > now)


def answer(plan: Plan, state: State, request: Requested) -> list[Body]:
    """The decision that a request leads to."""
    cell = request.cell
    at = state.cells[cell]
    if request.what == "retry":
        node = plan.node_at(cell.path)
        first = node.models[0] if isinstance(node, Llm) and at.status is CellStatus.PARKED else ""
        start = max(state.now, request.not_before)
        return [RetryScheduled(cell, at.attempt + 1, start, model=first, by="person")]
    if request.what == "fail":
        if at.kind == "effect" and at.status is CellStatus.SCHEDULED:
            return [NodeStopping(cell, BY_HAND + request.reason)]
        return [failed_by_hand(cell, request.reason), *abandon_round(state, cell, at)]
    if request.output is None:
        return [NodeSkipped(cell, BY_HAND + request.reason, by="person"), *abandon_round(state, cell, at)]
    return [NodeCompleted(cell, request.output, at.attempt, by="person"), *abandon_round(state, cell, at)]


def failed_by_hand(cell: Cell, reason: str) -> NodeFailed:
    """The end of a cell that a person lets fail."""
    return NodeFailed(cell, Error("NX-R213", reason, type="FailedByHand"), by="person")
