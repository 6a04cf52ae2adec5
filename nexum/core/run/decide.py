"""What follows from what is known: graph + state -> the next group of decisions.

The order is part of the semantics: what a person asked, then closing, then effects in doubt and their askings, then ended
attempts and fired timers, then readiness in graph order, then the end. The first non-empty group is returned; the caller
appends and folds it as a whole and asks again, until the
answer is empty. After that fixed point nothing follows until the next fact.

`decide` sees no clock but the recorded time of the last fact (`state.now`), and no payload but those that `wanted` named.
"""

from __future__ import annotations

from nexum.core.graph.nodes import Effect
from nexum.core.run.asking import ask
from nexum.core.run.attempts import abandon_round, after_failure, after_repair, out_of_attempts, overdue_error
from nexum.core.run.calls import after_calls
from nexum.core.run.closing import wind_down
from nexum.core.run.events import (
    Body,
    Cell,
    NodeCancelled,
    NodeFailed,
    NodeStopping,
    RunClosing,
    RunCompleted,
)
from nexum.core.run.ledger import is_undo
from nexum.core.run.places import inner_of, parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.ready import Values, current, enter, wanted
from nexum.core.run.requesting import BY_HAND, answer, failed_by_hand
from nexum.core.run.state import CellState, CellStatus, Phase, State

__all__ = ["decide", "wanted"]


def decide(plan: Plan, state: State, values: Values) -> list[Body]:
    """The next group of decisions; empty at the fixed point.

    `values` must hold the decoded payload of every reference that `wanted(plan, state)` names, by hash.
    """
    if state.suspended or state.phase.is_ended or state.phase is Phase.NEW:
        return []
    if state.requested is not None:
        return answer(plan, state, state.requested)
    if state.phase is Phase.CLOSING:
        return _settle_doubts(plan, state) or _settle_attempts(plan, state) or wind_down(plan, state)
    return (
        _close(plan, state)
        or _settle_doubts(plan, state)
        or _settle_attempts(plan, state)
        or enter(plan, state, values)
        or _end(plan, state)
    )


def _close(plan: Plan, state: State) -> list[Body]:
    """Whether the run must begin to close: somebody cancelled it, or a node has failed for good."""
    if state.cancel_reason:
        return [RunClosing("cancelled", compensate=state.compensate)]
    for cell in state.fresh:
        at = state.cells[cell]
        if at.status is CellStatus.FAILED and parent_of(cell) is None:
            return [RunClosing("failed", at.error, cell)]
    return []


def _settle_doubts(plan: Plan, state: State) -> list[Body]:
    """What follows for effects in doubt: their providers are asked, their calls are made again; most graphs have neither."""
    if plan.asks and (found := ask(plan, state)):
        return found
    return after_calls(plan, state) if plan.calls else []


def _settle_attempts(plan: Plan, state: State) -> list[Body]:
    """Ended attempts, ended repair rounds, overdue cells."""
    found: list[Body] = []
    for cell in _in_order(plan, state):
        at = state.cells[cell]
        if "/" in cell.path and inner_of(cell) in ("reconcile", "io"):
            continue
        if at.status is CellStatus.STOPPED:
            found.append(_stopped(cell, at))
        elif state.phase is Phase.CLOSING and not is_undo(cell):
            continue
        elif at.status is CellStatus.ATTEMPT_FAILED:
            found.extend(after_failure(plan, state, cell, at))
            if at.overdue:
                found.extend(abandon_round(state, cell, at))
        elif at.status is CellStatus.SCHEDULED and at.overdue:
            found.append(_overdue(plan, cell))
        elif at.kind == "llm" and at.status.is_terminal and parent_of(cell) is not None:
            found.extend(after_repair(state, cell, at))
            if not found and at.status is CellStatus.FAILED:
                found.extend(_parent_goes_on(plan, state, cell))
        if found:
            return found
    return found


def _parent_goes_on(plan: Plan, state: State, cell: Cell) -> list[Body]:
    parent = parent_of(cell)
    assert parent is not None
    above = state.cells[parent]
    return after_failure(plan, state, parent, above) if above.status is CellStatus.ATTEMPT_FAILED else []


def _overdue(plan: Plan, cell: Cell) -> Body:
    if isinstance(plan.node_at(cell.path), Effect):
        return NodeStopping(cell, "timeout")
    return NodeFailed(cell, overdue_error(cell))


def _stopped(cell: Cell, at: CellState) -> Body:
    if at.stopping == "timeout":
        return out_of_attempts(cell, overdue_error(cell), at.error)
    if at.stopping.startswith(BY_HAND):
        return failed_by_hand(cell, at.stopping.removeprefix(BY_HAND))
    return NodeCancelled(cell, at.stopping or "closing")


def _end(plan: Plan, state: State) -> list[Body]:
    if state.open or state.settled < len(plan.graph.nodes):
        return []
    return [RunCompleted(tuple((name, state.cells[current(state, name)].output) for name in plan.graph.result))]


def _in_order(plan: Plan, state: State) -> list[Cell]:
    if len(state.fresh) == 1:
        return [state.fresh[0]]
    order = plan.graph.order
    return sorted(state.fresh, key=lambda cell: (order.get(cell.path.partition("/")[0], 0), cell))
