"""What follows when an attempt has ended badly: another attempt, a repair round, another model, or the end of the node.

A language model's cell climbs a ladder: repair rounds while the answer is invalid, then retries, then the next model with
fresh rounds and attempts, then failure. A repair round is a cell of its own; its end is the parent's next move.
"""

from __future__ import annotations

from nexum.core.graph.nodes import Llm
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run import retry
from nexum.core.run.events import Body, Cell, Error, NodeCompleted, NodeFailed, NodeScheduled, RetryScheduled
from nexum.core.run.fold import parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellState, CellStatus, State

FINAL = frozenset({"NX-R210", "NX-R211"})  # NonRetryable and Fail: the author knows; no other model is asked


def after_failure(plan: Plan, state: State, cell: Cell, at: CellState) -> list[Body]:
    """Decide about one cell that stands in ATTEMPT_FAILED."""
    node = plan.node_at(cell.path)
    error = at.error
    assert error is not None
    if at.overdue:
        return [NodeFailed(cell, overdue_error(cell))]
    if error.code == "NX-E201" and error.retryable:  # it is known not to have happened: this costs no attempt
        return [RetryScheduled(cell, at.attempt + 1, state.now)]
    if isinstance(node, Llm):
        return _model_ladder(state, node, cell, at, error)
    return [_again_or_fail(state, node.retry, cell, at, error, at.attempt)]


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


def _again_or_fail(
    state: State, policy: RetryPolicy, cell: Cell, at: CellState, error: Error, attempt: int
) -> RetryScheduled | NodeFailed:
    if not error.retryable:
        return NodeFailed(cell, error)
    answer = retry.after(
        policy,
        attempt,
        failed_at=state.now,
        spread=retry.spread_of(state.run_id, cell, at.attempt),
        asked=at.retry_after,
    )
    if isinstance(answer, retry.Enough):
        return NodeFailed(cell, error)
    return RetryScheduled(cell, at.attempt + 1, answer.at)


def _model_ladder(state: State, node: Llm, cell: Cell, at: CellState, error: Error) -> list[Body]:
    parent = parent_of(cell)
    if parent is not None:  # a repair round: transport failures are retried here, everything else is the parent's
        if not at.repairable:
            answer = _again_or_fail(state, node.retry, cell, at, error, at.attempt)
            if isinstance(answer, RetryScheduled):
                return [answer]
        return [NodeFailed(cell, error)]
    if _open_round(state, cell, at):
        return []
    if at.repairable and at.rounds < node.repair and not _round_failed_otherwise(state, cell, at):
        round_cell = Cell(f"{cell.path}/repair.{at.repairs + 1}", cell.visit, cell.item)
        return [NodeScheduled(round_cell, "llm", at.inputs, at.input_hash, model=at.model)]
    if not at.repairable:
        answer = _again_or_fail(state, node.retry, cell, at, error, at.attempt - at.model_from + 1)
        if isinstance(answer, RetryScheduled):
            return [answer]
    place = node.models.index(at.model) + 1 if at.model in node.models else len(node.models)
    if error.code not in FINAL and place < len(node.models):
        return [RetryScheduled(cell, at.attempt + 1, state.now, model=node.models[place])]
    last = _last_round(state, cell, at)
    return [NodeFailed(cell, last.error if last is not None and last.error is not None else error)]


def _last_round(state: State, cell: Cell, at: CellState) -> CellState | None:
    return state.cells.get(Cell(f"{cell.path}/repair.{at.repairs}", cell.visit, cell.item)) if at.rounds else None


def _open_round(state: State, cell: Cell, at: CellState) -> bool:
    last = _last_round(state, cell, at)
    return last is not None and not last.status.is_terminal


def _round_failed_otherwise(state: State, cell: Cell, at: CellState) -> bool:
    """Whether the last round ended for another reason than an invalid answer: then more rounds would not help."""
    last = _last_round(state, cell, at)
    return last is not None and last.status is CellStatus.FAILED and not last.repairable
