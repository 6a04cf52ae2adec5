"""What reconcile may and may not do, over random graphs and random histories."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import World, world
from nexum.core.graph.nodes import Effect
from nexum.core.run.asking import last_asking
from nexum.core.run.events import Cell, DoubtResolved, EffectInDoubt, NodeCompleted, NodeScheduled, RetryScheduled
from nexum.core.run.fold import Event
from nexum.core.run.state import CellStatus
from thorough import examples

SEEDS = st.integers(0, 1_000_000)
BUDGET = settings(max_examples=examples(300), deadline=None)


def resolved(played: World, outcome: str) -> list[tuple[int, Event]]:
    found = list(enumerate(played.events))
    return [
        (place, event)
        for place, event in found
        if isinstance(event.body, DoubtResolved) and event.body.by == "reconcile" and event.body.outcome == outcome
    ]


def answers(played: World, place: int, cell: Cell) -> list[tuple[int, Event]]:
    """When the askings of the doubt that ends at `place` were begun at the earliest, and their answers."""
    began: dict[Cell, int] = {}
    found: list[tuple[int, Event]] = []
    for event in played.events[:place]:
        body = event.body
        if isinstance(body, EffectInDoubt) and body.cell == cell:
            found = []
        elif isinstance(body, NodeScheduled):
            began[body.cell] = max(event.at, body.not_before)
        elif isinstance(body, RetryScheduled) and body.cell in began:
            began[body.cell] = max(began[body.cell], body.not_before)
        elif isinstance(body, NodeCompleted) and body.cell.path.startswith(f"{cell.path}/reconcile."):
            found.append((began[body.cell], event))
    return found


@given(SEEDS)
@BUDGET
def test_an_effect_is_sent_again_only_after_two_agreeing_answers_that_count(seed: int) -> None:
    played = world(seed, fails=0.5).play()
    for place, event in resolved(played, "did_not_happen"):
        cell: Cell = event.body.cell  # type: ignore[union-attr]
        how = played.plan.node_at(cell.path).reconcile  # type: ignore[union-attr]
        doubts = [e.body for e in played.events[:place] if isinstance(e.body, EffectInDoubt) and e.body.cell == cell]
        counted = [
            (began, e.at)
            for began, e in answers(played, place, cell)
            if e.body.answer == "not_found" and began >= doubts[-1].quiet_from + how.settle  # type: ignore[union-attr]
        ]
        assert any(second >= at + how.gap for _, at in counted for second, _ in counted)


@given(SEEDS)
@BUDGET
def test_what_was_found_is_what_the_effect_completes_with(seed: int) -> None:
    played = world(seed, fails=0.5).play()
    for place, event in resolved(played, "happened"):
        body = event.body
        assert isinstance(body, DoubtResolved)
        _, last = answers(played, place, body.cell)[-1]
        assert isinstance(last.body, NodeCompleted)
        assert (last.body.answer, last.body.output.hash) == ("found", body.output.hash if body.output else "")


@given(SEEDS, st.integers(0, 12))
@BUDGET
def test_an_asking_is_open_only_while_its_effect_is_in_doubt(seed: int, cancel_at: int) -> None:
    played = world(seed, fails=0.5)
    for turn in range(200):
        for cell in played.state.open:
            if "/reconcile." in cell.path:
                effect = Cell(cell.path.rpartition("/")[0], cell.visit, cell.item)
                assert played.state.cells[effect].status is CellStatus.IN_DOUBT
        if turn == cancel_at:
            played.play(1, cancel_at=0)
        if not played.turn():
            break


@given(SEEDS)
@BUDGET
def test_at_most_one_asking_is_open_and_a_first_one_is_never_forgotten(seed: int) -> None:
    played = world(seed, fails=0.5)
    going = True
    while going:
        for cell in [] if played.state.phase.is_ended else played.state.open:
            at = played.state.cells[cell]
            node = played.plan.node_at(cell.path)
            asked = [c for c in played.state.open if c.path.startswith(f"{cell.path}/reconcile.")]
            assert len(asked) <= 1
            if at.status is CellStatus.IN_DOUBT and isinstance(node, Effect) and node.reconcile is not None:
                assert last_asking(played.state, cell) is not None or at.quiet_from > played.now + 10**15
        going = played.turn()
