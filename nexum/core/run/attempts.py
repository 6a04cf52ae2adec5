"""What follows when an attempt has ended badly: another attempt, a repair round, another model, or the end of the node.

A language model's cell climbs a ladder: repair rounds while the answer is invalid, then retries, then the next model with
fresh rounds and attempts, then failure. A repair round is a cell of its own; its end is the parent's next move.

A node without attempts left fails, or is parked where its policy says so, or where its handler contradicts its journal. An
undo is always parked: it never ends badly by itself, only when a person gives it up.
"""

from __future__ import annotations

from nexum.core.graph.nodes import Llm
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run import retry
from nexum.core.run.events import (
    Body,
    Cell,
    Error,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeParked,
    NodeScheduled,
    RetryScheduled,
)
from nexum.core.run.ledger import is_undo
from nexum.core.run.places import parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellState, CellStatus, State

HELD = "NX-E220"  # the journal contradicts the handler: whatever follows by itself could act twice, or lose a deed
FINAL = frozenset({"NX-R210", "NX-R211"})  # NonRetryable and Fail: the author knows; no other model is asked


def after_failure(plan: Plan, state: State, cell: Cell, at: CellState) -> list[Body]:
    """Decide about one cell that stands in ATTEMPT_FAILED."""
    node = plan.node_at(cell.path)
    error = at.error
    assert error is not None
    if at.overdue:
        return [out_of_attempts(cell, overdue_error(cell))]
    if error.code == "NX-E201" and error.retryable:  # it is known not to have happened: this costs no attempt
        return [RetryScheduled(cell, at.attempt + 1, state.now)]
    if isinstance(node, Llm):
        return _model_ladder(state, node, cell, at, error)
    return [_again_or_fail(state, node.retry, cell, at, error)]


def after_repair(state: State, cell: Cell, at: CellState) -> list[Body]:
    """Decide about the parent of a repair round that has ended."""
    parent = parent_of(cell)
    assert parent is not None
    above = state.cells[parent]
    if above.status is not CellStatus.ATTEMPT_FAILED or at.status is not CellStatus.COMPLETED:
        return []
    assert at.output is not None
    return [NodeCompleted(parent, at.output, attempt=above.attempt, by="repair")]


def overdue_error(cell: Cell) -> Error:
    """Why a cell ends whose schedule_to_close has passed."""
    return Error("NX-R204", f"{cell.path} took longer than its schedule_to_close timeout", type="Timeout")


def out_of_attempts(
    cell: Cell, error: Error, last: Error | None = None, *, park: bool = False
) -> NodeFailed | NodeParked:
    """The end of a cell for which nothing more may be tried; `last` is what its last attempt ended with."""
    if is_undo(cell):
        if _gave_up(last or error):
            return NodeFailed(cell, last or error, by="person")
        return NodeParked(cell, error)
    parks = park and error.retryable and parent_of(cell) is None  # a part of a node ends with the node
    return NodeParked(cell, error) if parks else NodeFailed(cell, error)


def _gave_up(error: Error) -> bool:
    """Whether a doubt ended with somebody's decision to let it be."""
    return error.type == "InDoubt" and not error.retryable


def abandon_round(state: State, cell: Cell, at: CellState) -> list[Body]:
    """A model's cell ends while its repair round is open: the round ends with it."""
    if not at.rounds:
        return []
    round_cell = Cell(f"{cell.path}/repair.{at.repairs}", cell.visit, cell.item)
    last = state.cells.get(round_cell)
    return [NodeCancelled(round_cell, "not needed")] if last is not None and not last.status.is_terminal else []


def _again_or_fail(
    state: State, policy: RetryPolicy, cell: Cell, at: CellState, error: Error
) -> RetryScheduled | NodeFailed | NodeParked:
    park = policy.exhausted == "park"
    if error.code == HELD:
        return NodeParked(cell, error)
    if not error.retryable:
        return out_of_attempts(cell, error)
    answer = retry.after(
        policy,
        at.attempt - at.counted_from + 1,
        failed_at=state.now,
        spread=retry.spread_of(state.run_id, cell, at.attempt),
        asked=at.retry_after,
    )
    if isinstance(answer, retry.Enough):
        return out_of_attempts(cell, error, park=park)
    return RetryScheduled(cell, at.attempt + 1, answer.at)


def _model_ladder(state: State, node: Llm, cell: Cell, at: CellState, error: Error) -> list[Body]:
    parent = parent_of(cell)
    if parent is not None:  # a repair round: transport failures are retried here, everything else is the parent's
        if not at.repairable:
            answer = _again_or_fail(state, node.retry, cell, at, error)
            if isinstance(answer, RetryScheduled):
                return [answer]
        return [NodeFailed(cell, error)]
    if _open_round(state, cell, at):
        return []
    if at.repairable and at.rounds < node.repair and not _round_failed_otherwise(state, cell, at):
        round_cell = Cell(f"{cell.path}/repair.{at.repairs + 1}", cell.visit, cell.item)
        return [NodeScheduled(round_cell, "llm", at.inputs, at.input_hash, model=at.model)]
    if not at.repairable:
        answer = _again_or_fail(state, node.retry, cell, at, error)
        if isinstance(answer, RetryScheduled):
            return [answer]
    place = node.models.index(at.model) + 1 if at.model in node.models else len(node.models)
    if error.code not in FINAL and place < len(node.models):
        return [RetryScheduled(cell, at.attempt + 1, state.now, model=node.models[place])]
    last = _last_round(state, cell, at)
    found = last.error if last is not None and last.error is not None else error
    return [out_of_attempts(cell, found, park=node.retry.exhausted == "park")]


def _last_round(state: State, cell: Cell, at: CellState) -> CellState | None:
    return state.cells.get(Cell(f"{cell.path}/repair.{at.repairs}", cell.visit, cell.item)) if at.rounds else None


def _open_round(state: State, cell: Cell, at: CellState) -> bool:
    last = _last_round(state, cell, at)
    return last is not None and not last.status.is_terminal


def _round_failed_otherwise(state: State, cell: Cell, at: CellState) -> bool:
    """Whether the last round ended for another reason than an invalid answer: then more rounds would not help."""
    last = _last_round(state, cell, at)
    return last is not None and last.status is CellStatus.FAILED and not last.repairable
