"""The calls that an effect's handler journals: cells of their own (`book/io.charge`), and what they mean for the node.

Nobody schedules a call, and it has no task: the handler makes it, and the fact of its result is recorded at its cell whatever
the node is about. A call whose outcome is unknown stands IN_DOUBT, and so does its node, whose attempt has ended. When the
last doubt about its calls is resolved the node goes on: its handler runs again, and what is journaled is not made again.
A call that is known not to have happened waits in ATTEMPT_FAILED for being made again, under the same key.
"""

from __future__ import annotations

from collections.abc import Iterator

from nexum.core.graph.nodes import Effect
from nexum.core.run.attempts import overdue_error
from nexum.core.run.events import Body, Cell, Error, NodeCancelled, NodeFailed, RetryScheduled
from nexum.core.run.places import call_name, parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.requesting import BY_HAND, failed_by_hand
from nexum.core.run.state import CellState, CellStatus, State


def doubtful_calls(state: State, parent: Cell) -> list[Cell]:
    """The calls of a node about which nobody knows."""
    return [cell for cell in _open_calls(state, parent) if state.cells[cell].status is CellStatus.IN_DOUBT]


def undecidable(state: State, cell: Cell) -> str:
    """Why nobody can decide about this doubt yet; "" when somebody can.

    About a node its calls are decided first. A call is decided when its node stands in doubt as well: given up before, it
    would be made again by the attempt that is still under way, and which the death of a process delivers again.
    """
    if doubtful_calls(state, cell):
        return "its calls are in doubt"
    parent = parent_of(cell) if call_name(cell) else None
    acts = parent is not None and state.cells[parent].status in (CellStatus.SCHEDULED, CellStatus.STOPPING)
    return f"{parent.path} still has an attempt under way" if parent is not None and acts else ""


def after_calls(plan: Plan, state: State) -> list[Body]:
    """What follows for a node from what became of its calls, and for its calls when it has ended."""
    for cell in sorted(state.fresh):
        at = state.cells[cell]
        if call_name(cell):
            found = _after_call(state, cell, at)
        elif at.kind == "effect" and at.status is CellStatus.IN_DOUBT:
            found = _after_doubt(plan, state, cell, at)
        else:
            found = _left_over(state, cell, at)
        if found:
            return found
    return []


def _after_call(state: State, cell: Cell, at: CellState) -> list[Body]:
    parent = parent_of(cell)
    assert parent is not None
    above = state.cells[parent]
    if at.status is CellStatus.ATTEMPT_FAILED:
        error = at.error
        assert error is not None
        if not error.retryable:
            waits = above.status is CellStatus.IN_DOUBT and not doubtful_calls(state, parent)
            return [NodeFailed(cell, error), *([_given_up(parent, cell, error)] if waits else [])]
        if above.status.is_terminal:
            return [NodeCancelled(cell, "not made again")]
    if at.status is CellStatus.IN_DOUBT or above.status is not CellStatus.IN_DOUBT or doubtful_calls(state, parent):
        return []
    return [_resumed(state, parent, above)]


def _after_doubt(plan: Plan, state: State, cell: Cell, at: CellState) -> list[Body]:
    """The node has come into doubt; what it was about may have been resolved before."""
    node = plan.node_at(cell.path)
    if not (isinstance(node, Effect) and node.io) or doubtful_calls(state, cell):
        return []
    return [_resumed(state, cell, at)]


def _resumed(state: State, parent: Cell, above: CellState) -> Body:
    if above.overdue or above.stopping == "timeout":
        return NodeFailed(parent, overdue_error(parent))
    if above.stopping.startswith(BY_HAND):
        return failed_by_hand(parent, above.stopping.removeprefix(BY_HAND))
    if above.stopping:
        return NodeCancelled(parent, above.stopping)
    for cell, at in _calls_given_up(state, parent):
        assert at.error is not None
        return _given_up(parent, cell, at.error)
    return RetryScheduled(parent, above.attempt + 1, state.now)


def _given_up(parent: Cell, cell: Cell, error: Error) -> NodeFailed:
    return NodeFailed(parent, Error(error.code, f"{cell.path} was given up: {error.message}", type=error.type))


def _left_over(state: State, cell: Cell, at: CellState) -> list[Body]:
    """Calls that might have been made again, of a node that has ended."""
    if at.kind != "effect" or not at.status.is_terminal:
        return []
    left = [call for call in _open_calls(state, cell) if state.cells[call].status is CellStatus.ATTEMPT_FAILED]
    return [NodeCancelled(call, "not made again") for call in left]


def _calls_given_up(state: State, parent: Cell) -> Iterator[tuple[Cell, CellState]]:
    """Those that somebody has given up: a node whose handler counts on one cannot go on."""
    for cell, at in sorted(state.cells.items()):
        if at.status is CellStatus.FAILED and call_name(cell) and parent_of(cell) == parent:
            yield cell, at


def _open_calls(state: State, parent: Cell) -> Iterator[Cell]:
    return (cell for cell in sorted(state.open) if call_name(cell) and parent_of(cell) == parent)
