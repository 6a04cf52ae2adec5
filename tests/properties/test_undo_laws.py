"""The laws of undoing, over random graphs with deeds, pivots and impatient people."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import World, world
from nexum.core.graph.nodes import Effect
from nexum.core.run.events import (
    CELL_TERMINAL,
    Cell,
    DoubtResolved,
    NodeCompleted,
    NodeFailed,
    NodeScheduled,
    RunCancelled,
    RunFailed,
)
from nexum.core.run.ledger import is_undo, undo_of
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellStatus, Phase
from thorough import examples

SEEDS = st.integers(0, 1_000_000)
BUDGET = settings(max_examples=examples(200), deadline=None)


def closed(seed: int, *, compensate: bool = True) -> World:
    """A run with failures or a cancellation in its way."""
    return world(seed, fails=0.3 if seed % 2 else 0.1).play(cancel_at=seed % 9, compensate=compensate)


def ancestors(plan: Plan, name: str) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for dep in plan.steps[ahead.pop()].deps:
            if dep not in found:
                found.add(dep)
                ahead.append(dep)
    return found


def kept(played: World) -> set[str]:
    """Nodes at or above a pivot that has completed, by the definition."""
    cells = played.state.cells
    names = set()
    for node in played.plan.graph.nodes:
        done = Cell(node.id) in cells and cells[Cell(node.id)].status is CellStatus.COMPLETED
        if isinstance(node, Effect) and node.pivot and done:
            names |= {node.id} | ancestors(played.plan, node.id)
    return names


def to_undo(played: World) -> Iterator[Cell]:
    """The deeds that can be undone, from the events alone."""
    behind = kept(played)
    for event in played.events:
        body = event.body
        made = isinstance(body, NodeCompleted) and body.by != "person"
        made = made or (isinstance(body, DoubtResolved) and body.outcome == "happened")
        if made and not is_undo(body.cell):  # type: ignore[union-attr]
            node = played.plan.node_at(body.cell.path)  # type: ignore[union-attr]
            if isinstance(node, Effect) and node.compensate is not None and node.id not in behind:
                yield body.cell  # type: ignore[union-attr]


@given(SEEDS)
@BUDGET
def test_no_deed_stays_done_unless_it_was_given_up_or_stands_above_a_pivot(seed: int) -> None:
    played = closed(seed)
    if played.state.phase in (Phase.FAILED, Phase.CANCELLED):
        for cell in to_undo(played):
            assert played.state.cells[undo_of(cell)].status in (CellStatus.COMPLETED, CellStatus.FAILED)


@given(SEEDS)
@BUDGET
def test_what_may_stay_is_never_undone(seed: int) -> None:
    played = closed(seed)

    undone = {
        event.body.cell for event in played.events if isinstance(event.body, NodeScheduled) and is_undo(event.body.cell)
    }

    assert undone <= {undo_of(cell) for cell in to_undo(played)}
    assert not undone or played.state.phase in (Phase.FAILED, Phase.CANCELLED)


@given(SEEDS)
@BUDGET
def test_a_run_that_leaves_its_deeds_undoes_nothing(seed: int) -> None:
    played = closed(seed, compensate=False)
    if played.state.phase is Phase.CANCELLED:
        assert not any(is_undo(cell) for cell in played.state.cells)
        last = played.events[-1].body
        assert isinstance(last, RunCancelled)
        assert last.undone == ("none" if list(to_undo(played)) else "")


@given(SEEDS)
@BUDGET
def test_an_undo_begins_when_all_undos_below_it_have_ended_and_nothing_goes_forward(seed: int) -> None:
    played = closed(seed)
    all_undos = {undo_of(cell) for cell in to_undo(played)}
    ended: set[Cell] = set()
    begun: set[Cell] = set()
    for event in played.events:
        body = event.body
        if isinstance(body, NodeScheduled):
            begun.add(body.cell)
            if is_undo(body.cell):
                name = body.cell.path.partition("/")[0]
                below = {undo for undo in all_undos if name in ancestors(played.plan, undo.path.partition("/")[0])}
                assert below <= ended
                assert {cell for cell in begun if not is_undo(cell)} <= ended
        if type(body).__name__ in CELL_TERMINAL or (isinstance(body, DoubtResolved) and body.outcome == "happened"):
            ended.add(body.cell)  # type: ignore[union-attr]


@given(SEEDS)
@BUDGET
def test_deeds_beside_each_other_are_undone_beside_each_other(seed: int) -> None:
    played = closed(seed)
    undos = [e for e in played.events if isinstance(e.body, NodeScheduled) and is_undo(e.body.cell)]
    names = {e.body.cell.path.partition("/")[0] for e in undos}  # type: ignore[union-attr]
    free = {n for n in names if not any(n in ancestors(played.plan, other) for other in names)}
    parked = {e.body.cell.path.partition("/")[0] for e in played.events if type(e.body).__name__ == "NodeParked"}  # type: ignore[union-attr]

    first = {e.seq for e in undos if e.body.cell.path.partition("/")[0] in free - parked}  # type: ignore[union-attr]

    assert not first or max(first) - min(first) < len(played.state.cells)  # one group of decisions


@given(SEEDS)
@BUDGET
def test_an_undo_has_one_key_of_its_own_and_reads_what_the_deed_read_and_wrote(seed: int) -> None:
    played = closed(seed)
    deeds = {deed.cell: deed for deed in played.state.ledger.values()}
    keys = set(played.state.ledger)
    for event in played.events:
        body = event.body
        if isinstance(body, NodeScheduled) and is_undo(body.cell):
            assert body.key not in keys
            keys.add(body.key)
            deed = deeds[body.cell._replace(path=body.cell.path.removesuffix("/undo"))]
            assert dict(body.inputs).items() <= {**dict(deed.inputs), deed.cell.path: deed.output}.items()


@given(SEEDS)
@BUDGET
def test_the_end_of_a_run_counts_what_was_undone(seed: int) -> None:
    played = closed(seed)
    last = played.events[-1].body
    if isinstance(last, RunFailed | RunCancelled):
        undos = [played.state.cells[undo_of(cell)].status for cell in to_undo(played)]
        done = undos.count(CellStatus.COMPLETED)
        assert last.undone == ("" if not undos else "all" if done == len(undos) else "some" if done else "none")
        failed = {e.body.cell for e in played.events if isinstance(e.body, NodeFailed) and is_undo(e.body.cell)}
        assert set(last.given_up) == failed


@given(SEEDS)
@BUDGET
def test_an_undo_fails_only_by_a_persons_hand(seed: int) -> None:
    for event in closed(seed).events:
        if isinstance(event.body, NodeFailed) and is_undo(event.body.cell):
            assert event.body.by == "person"
