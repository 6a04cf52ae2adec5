"""What an effect that journals its calls may and may not come to, over random histories of facts."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import START, compute, graph, params
from nexum.core.canonical import canonical_bytes, sha256_hex
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run.advance import Grown, advance
from nexum.core.run.calls import doubtful_calls
from nexum.core.run.decide import decide
from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    Body,
    CancelRequested,
    Cell,
    DoubtResolved,
    EffectInDoubt,
    Error,
    Ignored,
    NodeCompleted,
    RunStarted,
)
from nexum.core.run.fold import Event, fold
from nexum.core.run.places import call_name, call_of
from nexum.core.run.plan import plan_of
from nexum.core.run.rows import tasks_of
from nexum.core.run.snapshot import freeze, thaw
from nexum.core.run.state import CellStatus, State
from nexum.core.values import HERE, Ref
from thorough import examples

BOOK = Cell("book")
CALLS = [call_of(BOOK, name) for name in ("a", "b")]
SEEDS = st.integers(0, 1_000_000)
BUDGET = settings(max_examples=examples(300), deadline=None)
DATA = canonical_bytes(1)
OUTPUT = Ref(sha256_hex(DATA), len(DATA), HERE)
GRAPH = graph(
    Effect(
        id="book",
        handler=Handler(ref="m:book"),
        params=params(("input",)),
        output={},
        tool="bank",
        io=True,
        retry=RetryPolicy(max_attempts=3),
    ),
    compute("count", "book"),
)
PLAN = plan_of(GRAPH)


def begun() -> State:
    started = Event(1, START, RunStarted("W", GRAPH.version, OUTPUT))
    state = fold(State("run"), started)
    for body in decide(PLAN, state, {}):
        state = fold(state, Event(state.seq + 1, START, body))
    return state


def message(rng: random.Random, state: State) -> Body:
    """Something that may arrive, whether it fits or not."""
    attempt = max(1, state.cells[BOOK].attempt - rng.choice([0, 0, 0, 1]))
    call = rng.choice(CALLS)
    error = Error("NX-R200", "no", retryable=rng.random() < 0.7)
    outcome = rng.choice(["happened", "did_not_happen", "abandon"])
    return rng.choice(
        [
            NodeCompleted(call, OUTPUT, attempt, by="call"),
            NodeCompleted(call, OUTPUT, attempt, by="call"),
            EffectInDoubt(call, attempt, "gone", "ended", 0),
            EffectInDoubt(BOOK, attempt, "its calls", "ended", 0),
            EffectInDoubt(BOOK, attempt, "its calls", "ended", 0),
            DoubtResolved(call, outcome, OUTPUT if outcome == "happened" else None),
            DoubtResolved(call, outcome, OUTPUT if outcome == "happened" else None),
            DoubtResolved(BOOK, outcome, OUTPUT if outcome == "happened" else None),
            AttemptFailed(BOOK, attempt, error),
            AttemptStopped(BOOK, attempt, claimed=True),
            NodeCompleted(BOOK, OUTPUT, attempt),
            NodeCompleted(Cell("count"), OUTPUT, 1),
            CancelRequested("enough") if rng.random() < 0.1 else EffectInDoubt(call, attempt, "gone", "ended", 0),
        ]
    )


def grow(state: State, body: Body) -> Grown:
    return advance(PLAN, state, body, state.now + 1, {OUTPUT.hash: 1})


def played(seed: int, length: int = 25) -> list[tuple[State, Body, Grown]]:
    rng = random.Random(seed)
    state, found = begun(), []
    for _ in range(length):
        body = message(rng, state)
        grown = grow(state, body)
        found.append((state, body, grown))
        state = grown.state
    return found


@given(SEEDS)
@BUDGET
def test_every_fact_is_taken_to_a_fixed_point_that_a_snapshot_keeps(seed: int) -> None:
    for _, _, grown in played(seed):
        assert decide(PLAN, grown.state, {OUTPUT.hash: 1}) == []
        assert thaw(freeze(grown.state)) == grown.state


@given(SEEDS)
@BUDGET
def test_a_node_is_in_doubt_only_while_a_call_of_its_is_and_never_completes_over_one(seed: int) -> None:
    for before, _, grown in played(seed):
        state = grown.state
        at = state.cells[BOOK]
        if at.status is CellStatus.IN_DOUBT and not state.phase.is_ended:
            assert doubtful_calls(state, BOOK)
        if at.status is CellStatus.COMPLETED and before.cells[BOOK].status is not CellStatus.COMPLETED:
            assert not doubtful_calls(before, BOOK)


@given(SEEDS)
@BUDGET
def test_a_run_that_has_not_ended_waits_for_a_task_or_for_evidence(seed: int) -> None:
    for _, _, grown in played(seed):
        state = grown.state
        if state.phase.is_ended:
            assert all(at.status.is_terminal for at in state.cells.values())
            continue
        doubts = [cell for cell in state.open if state.cells[cell].status is CellStatus.IN_DOUBT]
        assert tasks_of(PLAN, state) or doubts
        assert not any(task.cell.path.startswith("book/") for task in tasks_of(PLAN, state))


@given(SEEDS)
@BUDGET
def test_a_call_that_happened_stays_so_and_one_fact_twice_is_one(seed: int) -> None:
    for before, body, grown in played(seed):
        for cell, at in before.cells.items():
            if call_name(cell) and at.status is CellStatus.COMPLETED:
                assert grown.state.cells[cell] == at
        if isinstance(body, NodeCompleted) and not isinstance(grown.events[0].body, Ignored):
            again = grow(grown.state, body)
            assert isinstance(again.events[0].body, Ignored)


@given(SEEDS)
@BUDGET
def test_a_call_keeps_its_key_through_everything(seed: int) -> None:
    keys: dict[Cell, str] = {}
    for _, _, grown in played(seed):
        for cell, at in grown.state.cells.items():
            if call_name(cell):
                assert at.key == keys.setdefault(cell, at.key) != grown.state.cells[BOOK].key


def test_the_histories_reach_what_the_laws_are_about() -> None:
    seen: set[tuple[str, CellStatus]] = set()
    for seed in range(200):
        for _, _, grown in played(seed):
            seen |= {("call" if call_name(cell) else cell.path, at.status) for cell, at in grown.state.cells.items()}
    ends = {CellStatus.COMPLETED, CellStatus.FAILED, CellStatus.CANCELLED, CellStatus.IN_DOUBT}
    assert {("call", status) for status in ends} <= seen
    assert {("book", status) for status in ends} <= seen
