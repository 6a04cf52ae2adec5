"""Which deeds are undone, in which order, and what came of it.

Descendants in the graph come first, so undoing runs backwards along the graph, and in parallel where the way forward was
parallel. What stands at or above a completed pivot stays: the pivot was the point of no return. An undo is an effect like
any other, with a key, retries and doubts of its own; only its failure is special: it never ends by itself.

An effect that journals calls may end otherwise than completed after some of them: then the world was touched, and its undo
runs without its output. It is told the calls' results. Where no undo is declared the end of the run names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nexum.core.graph.nodes import Effect
from nexum.core.ids import effect_key
from nexum.core.run.events import Body, Cell, Error, NodeParked, NodeScheduled
from nexum.core.run.ledger import calls_of, in_part, undo_of
from nexum.core.run.plan import Plan
from nexum.core.run.ready import input_hash
from nexum.core.run.state import CellStatus, Deed, State
from nexum.core.values import Ref


def due(plan: Plan, state: State) -> list[Body]:
    """The undos that may begin now."""
    left: dict[str, list[tuple[Deed, Effect]]] = {}
    for deed, effect in _undoable(plan, state):
        if not deed.undone and not _has_ended(state, deed):
            left.setdefault(_root(deed.cell), []).append((deed, effect))
    if not left:
        return []
    held = _above(plan, set(left))
    found = []
    for name in sorted(left.keys() - held, key=plan.graph.order.__getitem__):
        last = max(deed.cell.visit for deed, _ in left[name])
        for deed, effect in left[name]:
            if deed.cell.visit == last and undo_of(deed.cell) not in state.cells:
                found.append(_begin(state, deed, effect))
    return found


class Undone(NamedTuple):
    """What became of a run's deeds, as its last event says it; the fields are those of `RunFailed`."""

    undone: str = ""
    given_up: tuple[Cell, ...] = ()
    left: tuple[Cell, ...] = ()


def outcome(plan: Plan, state: State) -> Undone:
    """How many of the deeds that can be undone were, what was given up, and which calls of half-done effects stand."""
    deeds = [deed for deed, _ in _undoable(plan, state)]
    undone = sum(deed.undone for deed in deeds)
    given_up = tuple(sorted(undo_of(deed.cell) for deed in deeds if _is_given_up(state, deed)))
    how_many = "all" if undone == len(deeds) else "some" if undone else "none"
    return Undone(how_many if deeds else "", given_up, _left(plan, state))


def _left(plan: Plan, state: State) -> tuple[Cell, ...]:
    if not plan.calls:
        return ()
    return tuple(
        call.cell for deed in in_part(state) for call in calls_of(state, deed.cell) if not (deed.undone or call.undone)
    )


def _undoable(plan: Plan, state: State) -> Iterator[tuple[Deed, Effect]]:
    """Deeds that have a way back and no completed pivot at or below them."""
    found = [
        (deed, node)
        for deed in (*(deed for _, deed in sorted(state.ledger.items())), *(in_part(state) if plan.calls else ()))
        if isinstance(node := plan.node_at(deed.cell.path), Effect) and node.undo is not None
    ]
    if not found:
        return
    pivots = {_root(cell) for cell in map(_visit, _pivots(plan)) if _is_completed(state, cell)}
    kept = pivots | _above(plan, pivots)
    yield from ((deed, node) for deed, node in found if _root(deed.cell) not in kept)


def _pivots(plan: Plan) -> Iterator[str]:
    return (node.id for node in plan.graph.nodes if isinstance(node, Effect) and node.pivot)


def _visit(node_id: str) -> Cell:
    return Cell(node_id)


def _is_completed(state: State, cell: Cell) -> bool:
    at = state.cells.get(cell)
    return at is not None and at.status is CellStatus.COMPLETED


def _is_given_up(state: State, deed: Deed) -> bool:
    at = state.cells.get(undo_of(deed.cell))
    return at is not None and at.status is CellStatus.FAILED


def _has_ended(state: State, deed: Deed) -> bool:
    at = state.cells.get(undo_of(deed.cell))
    return at is not None and at.status in (CellStatus.COMPLETED, CellStatus.FAILED)


def _above(plan: Plan, names: set[str]) -> set[str]:
    """The strict ancestors of these nodes; one walk from the end of the graph to its beginning."""
    found: set[str] = set()
    for node in reversed(plan.graph.nodes):
        if node.id in names or node.id in found:
            found.update(plan.steps[node.id].deps)
    return found


def _root(cell: Cell) -> str:
    return cell.path.partition("/")[0]


def _begin(state: State, deed: Deed, effect: Effect) -> Body:
    undo = effect.undo
    assert undo is not None
    cell = undo_of(deed.cell)
    recorded = dict(deed.inputs)
    known: dict[str, Ref | None] = {param.source: recorded.get(param.name) for param in effect.params}
    known[effect.id] = deed.output
    inputs = tuple((param.name, known.get(param.source)) for param in undo.params)
    for param, (_, ref) in zip(undo.params, inputs, strict=True):
        if ref is None and param.required:
            return NodeParked(
                cell, Error("NX-E301", f"{cell.path} needs {param.source}, and nothing was recorded of it")
            )
    limit = undo.timeouts.schedule_to_close
    return NodeScheduled(
        cell=cell,
        kind=undo.kind,
        inputs=inputs,
        input_hash=input_hash(inputs),
        key=effect_key(state.tenant, state.run_id, cell.path, cell.visit, cell.item),
        close_by=state.now + limit if limit else 0,
    )
