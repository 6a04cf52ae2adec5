"""The laws of fold and decide, over random graphs and random histories."""

from __future__ import annotations

import random
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import World, world
from nexum.core.canonical import from_bytes, reference_bytes
from nexum.core.run.advance import advance, settle
from nexum.core.run.codec import decode, encode
from nexum.core.run.decide import decide
from nexum.core.run.events import CELL_TERMINAL, RUN_TERMINAL, Cell, Ignored, NodeScheduled
from nexum.core.run.fold import Event, fold, is_fact
from nexum.core.run.rows import has_task, tasks_of
from nexum.core.run.snapshot import freeze, thaw
from nexum.core.run.state import CellStatus, Phase, State
from thorough import examples

SEEDS = st.integers(0, 1_000_000)
BUDGET = settings(max_examples=examples(150), deadline=None)


@given(SEEDS, st.integers(0, 40))
@BUDGET
def test_folding_a_prefix_and_then_the_rest_is_folding_the_whole(seed: int, cut: int) -> None:
    played = world(seed).play()

    prefix = reduce(fold, played.events[:cut], State("run-1"))

    assert reduce(fold, played.events[cut:], thaw(freeze(prefix))) == played.state


@given(SEEDS)
@BUDGET
def test_after_the_fixed_point_nothing_follows(seed: int) -> None:
    played = world(seed)
    while played.turn():
        assert decide(played.plan, played.state, played.values) == []


@given(SEEDS)
@BUDGET
def test_the_facts_alone_recreate_every_decision(seed: int) -> None:
    played = world(seed).play(cancel_at=seed % 7)

    first = played.events[0]
    grown = settle(played.plan, fold(State("run-1"), first), (first,), played.values)
    state, events = grown.state, list(grown.events)
    for message, now in played.facts:
        grown = advance(played.plan, state, message, now, played.values)
        state, events = grown.state, events + list(grown.events)

    assert events == played.events
    assert state == played.state


@given(SEEDS)
@BUDGET
def test_every_body_survives_its_spelling(seed: int) -> None:
    for event in world(seed, fails=0.5).play().events:
        cell = getattr(event.body, "cell", Cell("", 0))
        data = encode(event.body)
        assert decode(type(event.body).__name__, cell, data) == event.body
        assert reference_bytes(from_bytes(data)) == data


@given(SEEDS)
@BUDGET
def test_a_message_sent_twice_is_ignored_the_second_time(seed: int) -> None:
    played = world(seed)
    while played.turn():
        message, now = played.facts[-1]
        again = advance(played.plan, played.state, message, now, played.values)
        if played.state.phase.is_ended or played.state.cells[_cell(message)].status.is_terminal:
            assert isinstance(again.events[0].body, Ignored)
            assert len(again.events) == 1


def _cell(message: object) -> Cell:
    timer = getattr(message, "timer", "")
    if timer:
        _, path, visit, item = timer.split("|")
        return Cell(path, int(visit), int(item))
    return message.cell  # type: ignore[attr-defined, no-any-return]


@given(SEEDS, st.booleans())
@BUDGET
def test_every_run_comes_to_an_end_or_waits_for_a_person(seed: int, cancelled: bool) -> None:
    played = world(seed).play(cancel_at=3 if cancelled else -1)

    assert played.state.phase.is_ended
    assert tasks_of(played.plan, played.state) == ()


@given(SEEDS)
@BUDGET
def test_a_run_that_has_not_ended_has_a_task_a_doubt_or_a_parked_node(seed: int) -> None:
    played = world(seed, fails=0.4)
    going = True
    while going:
        state = played.state
        if not state.phase.is_ended:
            people = [c for c in state.open if state.cells[c].status in (CellStatus.IN_DOUBT, CellStatus.PARKED)]
            assert tasks_of(played.plan, state) or people
        going = played.turn()


@given(SEEDS)
@BUDGET
def test_a_cell_and_a_run_have_at_most_one_terminal_event(seed: int) -> None:
    events = world(seed, fails=0.4).play(cancel_at=seed % 9).events

    ends = [e.body.cell for e in events if type(e.body).__name__ in CELL_TERMINAL]  # type: ignore[union-attr]
    assert len(ends) == len(set(ends))
    assert sum(type(e.body).__name__ in RUN_TERMINAL for e in events) <= 1


@given(SEEDS)
@BUDGET
def test_a_completed_nodes_inputs_are_the_current_outputs_of_its_sources(seed: int) -> None:
    played = world(seed).play()
    for event in played.events:
        if isinstance(event.body, NodeScheduled) and "/" not in event.body.cell.path:
            node = played.plan.steps[event.body.cell.path].node
            for param, (name, ref) in zip(node.params, event.body.inputs, strict=True):
                source = played.state.cells[Cell(param.source)]
                assert (name, ref) == (param.name, source.output)
                assert ref is not None or (source.status is CellStatus.SKIPPED and not param.required)


@given(SEEDS)
@BUDGET
def test_every_dep_has_ended_before_its_reader_starts(seed: int) -> None:
    played = world(seed).play()
    ended: set[str] = set()
    for event in played.events:
        name = type(event.body).__name__
        if isinstance(event.body, NodeScheduled) and "/" not in event.body.cell.path:
            assert set(played.plan.steps[event.body.cell.path].deps) <= ended
        if name in CELL_TERMINAL or name == "DoubtResolved":
            ended.add(event.body.cell.path)  # type: ignore[union-attr]


@given(SEEDS, st.integers(0, 5))
@BUDGET
def test_any_interleaving_gives_the_same_final_outputs(seed: int, order: int) -> None:
    one = world(seed, fails=0).play()
    other = World(one.plan, random.Random(order), 0).play()

    assert one.state.phase is other.state.phase is Phase.COMPLETED
    assert {c: (s.status, s.output and s.output.hash) for c, s in one.state.cells.items()} == {
        c: (s.status, s.output and s.output.hash) for c, s in other.state.cells.items()
    }


@given(SEEDS)
@BUDGET
def test_an_effect_of_unknown_outcome_is_never_closed_by_a_failure(seed: int) -> None:
    played = world(seed, fails=0.6)
    while played.turn():
        for at in played.state.cells.values():
            if at.doubtful:
                assert at.status not in (CellStatus.FAILED, CellStatus.CANCELLED)


@given(SEEDS)
@BUDGET
def test_the_key_and_the_inputs_of_a_cell_never_change(seed: int) -> None:
    played = world(seed, fails=0.5)
    seen: dict[Cell, tuple[str, str]] = {}
    while played.turn():
        for cell, at in played.state.cells.items():
            if has_task(at):
                assert seen.setdefault(cell, (at.key, at.input_hash)) == (at.key, at.input_hash)


@given(SEEDS)
@BUDGET
def test_decisions_carry_the_time_of_the_fact_that_woke_them(seed: int) -> None:
    at = 0
    for event in world(seed).play().events:
        at = event.at if is_fact(event.body) else at
        assert isinstance(event, Event)
        assert event.at == at
