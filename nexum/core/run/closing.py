"""How a run closes: what is open is stopped or awaited, then deeds are undone, then the first cause is its end.

Undoing waits until nothing that goes forward is open: a deed that comes late is then undone like all others, in the order
of the graph.
"""

from __future__ import annotations

from nexum.core.run.asking import is_needed
from nexum.core.run.events import Body, Cell, NodeCancelled, NodeStopping, RunCancelled, RunFailed
from nexum.core.run.ledger import serves_undo
from nexum.core.run.places import call_name
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellStatus, State
from nexum.core.run.undoing import Undone, due, outcome

_DROPPED = frozenset({CellStatus.SCHEDULED, CellStatus.ATTEMPT_FAILED, CellStatus.PARKED})


def wind_down(plan: Plan, state: State) -> list[Body]:
    """The next decisions of a closing run; empty while it waits for something."""
    forward = [cell for cell in state.open if not serves_undo(cell)]
    if forward:
        order = plan.graph.order
        forward.sort(key=lambda cell: (order.get(cell.path.partition("/")[0], 0), cell))
        return [body for cell in forward for body in _stop(state, cell)]
    if state.compensate and state.ledger:
        undos = due(plan, state)
        if undos:
            return undos
    return [] if state.open else [_end(plan, state)]


def _stop(state: State, cell: Cell) -> list[Body]:
    at = state.cells[cell]
    if is_needed(state, cell):
        return []
    if at.status is CellStatus.IN_DOUBT:
        return [] if at.stopping else [NodeStopping(cell, "closing")]
    if at.status is CellStatus.SCHEDULED and at.kind == "effect":
        return [NodeStopping(cell, "closing")]
    if at.status not in _DROPPED or call_name(cell):  # a call ends with the effect that makes it
        return []
    return [NodeCancelled(cell, "closing")]


def _end(plan: Plan, state: State) -> Body:
    became = outcome(plan, state) if state.ledger else Undone()
    if state.cause == "cancelled":
        return RunCancelled(state.cancel_reason, *became)
    assert state.cause_error is not None
    return RunFailed(state.cause_error, state.cause_cell, *became)
