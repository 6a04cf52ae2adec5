"""Asking the provider what became of an effect in doubt.

Each asking is a cell of its own (`refund/reconcile.1`, `.2` ...), a read with its own attempts and time limits. What was
found completes the effect. That nothing was found counts only when it was asked after the settle time, which begins when
nobody can send any more, because a request may be executed after its sender has died; and only when two such answers
agree, a gap apart, because lists lag. Then the same key is sent again. Whoever cannot tell, or fails, leaves the effect to
a person. Askings go on while a run closes: it cannot end before its effects in doubt have.
"""

from __future__ import annotations

from nexum.core.graph.nodes import Effect, Reconciliation
from nexum.core.run.attempts import after_failure, overdue_error
from nexum.core.run.events import NEVER, Body, Cell, DoubtResolved, NodeCancelled, NodeFailed, NodeScheduled
from nexum.core.run.places import inner_of, parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.ready import input_hash
from nexum.core.run.retry import spread_of
from nexum.core.run.state import CellState, CellStatus, State

ABSENT = "the provider was asked twice after the settle time and has not seen the key"
FOUND = "the provider was asked and has done it"


def ask(plan: Plan, state: State) -> list[Body]:
    """What follows for effects in doubt, and for their askings, from what changed since the last fact."""
    for cell in sorted(state.fresh):
        at = state.cells[cell]
        if inner_of(cell) == "reconcile":
            found = _asking_ended(plan, state, cell, at)
        elif at.kind == "effect":
            found = _doubted(plan, state, cell, at) if at.status is CellStatus.IN_DOUBT else _resolved(state, cell, at)
        else:
            continue
        if found:
            return found
    return []


def is_needed(state: State, cell: Cell) -> bool:
    """Whether a cell is an asking whose effect is still in doubt."""
    parent = parent_of(cell)
    return inner_of(cell) == "reconcile" and parent is not None and state.cells[parent].status is CellStatus.IN_DOUBT


def last_asking(state: State, cell: Cell) -> tuple[Cell, CellState] | None:
    """The newest asking about the present doubt of an effect; None when there is none yet."""
    at = state.cells[cell]
    if at.asked <= at.asked_before:
        return None
    asking = _asking(cell, at.asked)
    return asking, state.cells[asking]


def counts_from(how: Reconciliation, at: CellState) -> int:
    """The instant from which it counts that a provider does not know the key; `NEVER` while the sender may be alive."""
    return min(at.quiet_from + how.settle, NEVER)


def _asking(cell: Cell, number: int) -> Cell:
    return Cell(f"{cell.path}/reconcile.{number}", cell.visit, cell.item)


def _asking_ended(plan: Plan, state: State, cell: Cell, at: CellState) -> list[Body]:
    """An asking that failed is tried again or given up; one that has ended moves its effect."""
    parent = parent_of(cell)
    assert parent is not None
    above = state.cells[parent]
    if above.status is not CellStatus.IN_DOUBT:
        return _resolved(state, parent, above)
    if at.status is CellStatus.ATTEMPT_FAILED:
        return after_failure(plan, state, cell, at)
    if at.status is CellStatus.SCHEDULED and at.overdue:
        return [NodeFailed(cell, overdue_error(cell))]
    return _doubted(plan, state, parent, above) if at.status.is_terminal else []


def _doubted(plan: Plan, state: State, cell: Cell, at: CellState) -> list[Body]:
    """The next move about an effect in doubt: another asking, what an answer means, or nothing."""
    node = plan.node_at(cell.path)
    if not isinstance(node, Effect) or node.reconcile is None:
        return []
    last = last_asking(state, cell)
    if at.ask_now:
        return [*_cancelled(last), _schedule(node, node.reconcile, state, cell, 0)]
    if last is None and at.proof == "stored":
        return []  # sending again would only repeat it
    if last is None:
        return _schedule_by(node, node.reconcile, state, cell, _due(state, node.reconcile, cell, at))
    asking = last[1]
    if asking.status is not CellStatus.COMPLETED:
        return _sooner(node, node.reconcile, state, cell, last)
    if asking.answer == "found":
        return [DoubtResolved(cell, "happened", asking.output, asking.reference, FOUND, by="reconcile")]
    if asking.answer != "not_found" or at.proof == "acted":
        return []  # held for a person: nobody can tell, or it is known to have happened, whatever the provider says
    first = _first_absent(state, cell, at, node.reconcile)
    if first == 0:
        return _schedule_by(node, node.reconcile, state, cell, _due(state, node.reconcile, cell, at))
    if _began(asking) >= first + node.reconcile.gap:
        return [DoubtResolved(cell, "did_not_happen", evidence=ABSENT, by="reconcile")]
    return _schedule_by(node, node.reconcile, state, cell, first + node.reconcile.gap)


def _sooner(node: Effect, how: Reconciliation, state: State, cell: Cell, last: tuple[Cell, CellState]) -> list[Body]:
    """An asking that waits for a sender to be certainly dead is made when that is known; else nothing: it is being asked."""
    at, (_, asking) = state.cells[cell], last
    due = _due(state, how, cell, at)
    waits = asking.status is CellStatus.SCHEDULED and asking.not_before > max(state.now, due)
    if not waits or _first_absent(state, cell, at, how):
        return []
    return [*_cancelled(last), _schedule(node, how, state, cell, due)]


def _first_absent(state: State, cell: Cell, at: CellState, how: Reconciliation) -> int:
    """When it was first answered, in a way that counts and was not contradicted since, that nothing was found; 0: never."""
    first = 0
    for number in range(at.asked_before + 1, at.asked + 1):
        asking = state.cells[_asking(cell, number)]
        if asking.status not in (CellStatus.COMPLETED, CellStatus.FAILED):
            continue
        if asking.answer != "not_found":
            first = 0
        elif _began(asking) >= counts_from(how, at):
            first = first or asking.answered_at
    return first


def _due(state: State, how: Reconciliation, cell: Cell, at: CellState) -> int:
    """When a provider is asked first: once its answer counts, and not about everything that came into doubt at once."""
    spread = spread_of(state.run_id, cell, at.attempt)
    return min(counts_from(how, at) + int(min(how.settle, how.gap) * spread), NEVER)


def _began(asking: CellState) -> int:
    """The instant before which this asking cannot have reached the provider."""
    return max(asking.scheduled_at, asking.not_before)


def _schedule_by(node: Effect, how: Reconciliation, state: State, cell: Cell, instant: int) -> list[Body]:
    """An asking at an instant; none when that does not come by itself."""
    return [_schedule(node, how, state, cell, instant)] if instant < NEVER else []


def _schedule(node: Effect, how: Reconciliation, state: State, cell: Cell, not_before: int) -> Body:
    at = state.cells[cell]
    given = dict(at.inputs)
    by_source = {param.source: given.get(param.name) for param in node.params}
    inputs = tuple((param.name, by_source[param.source]) for param in how.params)
    limit = how.timeouts.schedule_to_close
    return NodeScheduled(
        cell=_asking(cell, at.asked + 1),
        kind="read",
        inputs=inputs,
        input_hash=input_hash(inputs),
        close_by=max(state.now, not_before) + limit if limit else 0,
        not_before=not_before,
    )


def _resolved(state: State, cell: Cell, at: CellState) -> list[Body]:
    """An effect that is in doubt no more needs no answer."""
    if at.asked == 0:
        return []
    asking = _asking(cell, at.asked)
    return _cancelled((asking, state.cells[asking]))


def _cancelled(last: tuple[Cell, CellState] | None) -> list[Body]:
    if last is None or last[1].status.is_terminal:
        return []
    return [NodeCancelled(last[0], "not needed")]
