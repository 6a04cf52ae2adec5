"""What people ask for a node, and what is refused because an effect may have acted, as scripts of messages."""

from __future__ import annotations

import random
from typing import Any

import pytest

from graphs import World, compute, graph, params, undone_by
from nexum.core.graph.nodes import Effect, Handler, Llm
from nexum.core.graph.policies import MINUTE, SECOND, Dedupes, RetryPolicy
from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    Body,
    CancelRequested,
    Cell,
    EffectInDoubt,
    Error,
    FailRequested,
    Ignored,
    NodeCompleted,
    NodeParked,
    NodeSkipped,
    RetryRequested,
    RetryScheduled,
    RunSuspended,
    SkipRequested,
)
from nexum.core.run.plan import plan_of
from nexum.core.run.state import CellStatus, Phase
from nexum.core.values import Ref

BOOM = Error("NX-R200", "boom", retryable=True)
FINAL = Error("NX-R210", "no use")
A = Cell("a")
VALUE = Ref("0" * 64, 1)
PARK = RetryPolicy(max_attempts=1, exhausted="park")


def effect(name: str = "a", *sources: str, **more: Any) -> Effect:
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), output={}, params=params(sources), tool="pay", **more)


def run(*nodes: Any) -> World:
    return World(plan_of(graph(*nodes)), random.Random(0))


def status(world: World, cell: Cell = A) -> CellStatus:
    return world.state.cells[cell].status


def why_ignored(world: World, request: Body) -> str:
    world.send(request)
    last = world.events[-1].body
    assert isinstance(last, Ignored)
    return last.why


@pytest.mark.parametrize(
    "node",
    [
        effect("a", retry=PARK),
        compute("a", retry=PARK),
        Llm(id="a", handler=Handler(ref="m:a"), output={}, models=("m", "n"), repair=0, retry=PARK),
    ],
)
def test_a_node_whose_policy_says_so_is_parked_when_its_attempts_are_used_up(node: Any) -> None:
    world = run(node)
    while status(world) is CellStatus.SCHEDULED:
        world.send(AttemptFailed(A, world.state.cells[A].attempt, BOOM))

    assert world.events[-1].body == NodeParked(A, BOOM)
    assert world.state.phase is Phase.RUNNING


def test_a_final_error_is_not_parked() -> None:
    world = run(effect("a", retry=PARK))

    world.send(AttemptFailed(A, 1, FINAL))

    assert world.state.phase is Phase.FAILED


def test_a_parked_node_that_is_retried_has_all_its_attempts_again_under_the_same_key() -> None:
    world = run(effect("a", retry=RetryPolicy(max_attempts=2, exhausted="park")))
    key = world.state.cells[A].key
    for attempt in (1, 2):
        world.send(AttemptFailed(A, attempt, BOOM))
    assert status(world) is CellStatus.PARKED

    world.send(RetryRequested(A, "they are back"))
    assert world.events[-1].body == RetryScheduled(A, 3, world.state.now, by="person")
    world.send(AttemptFailed(A, 3, BOOM))
    assert status(world) is CellStatus.SCHEDULED
    world.send(AttemptFailed(A, 4, BOOM))

    assert (status(world), world.state.cells[A].key) == (CellStatus.PARKED, key)


def test_a_parked_model_begins_again_with_the_first_one() -> None:
    world = run(Llm(id="a", handler=Handler(ref="m:a"), output={}, models=("m", "n"), repair=0, retry=PARK))
    for attempt in (1, 2):
        world.send(AttemptFailed(A, attempt, BOOM))

    world.send(RetryRequested(A, "again"))

    at = world.state.cells[A]
    assert (at.model, at.attempt, at.counted_from) == ("m", 3, 3)


def test_a_retry_now_costs_none_of_the_attempts() -> None:
    world = run(compute("a", retry=RetryPolicy(max_attempts=2, first_wait=MINUTE)))
    world.send(AttemptFailed(A, 1, BOOM))
    assert world.state.cells[A].not_before > world.now

    world.send(RetryRequested(A, "do not wait"))

    at = world.state.cells[A]
    assert (at.attempt, at.not_before, at.counted_from) == (3, world.now, 2)
    world.send(AttemptFailed(A, 3, BOOM))
    assert world.state.phase is Phase.FAILED


def test_who_skips_with_a_value_puts_it_in_place_of_the_output_and_nothing_is_to_be_undone() -> None:
    world = run(effect("a", retry=PARK, compensate=undone_by("a")), compute("b", "a"))
    world.send(AttemptFailed(A, 1, BOOM))

    world.send(SkipRequested(A, "paid in cash", world.keep(7)))

    completed = next(e.body for e in world.events if isinstance(e.body, NodeCompleted))
    assert (completed.by, completed.output) == ("person", world.state.cells[A].output)
    request = next(e for e in world.events if isinstance(e.body, SkipRequested))
    assert completed.output.seq == request.seq  # the value lies with the request
    assert status(world, Cell("b")) is CellStatus.SCHEDULED
    assert not world.state.ledger


def test_who_skips_without_a_value_skips_what_needs_it() -> None:
    world = run(compute("a"), compute("b", "a"), compute("c", optional=("a",)))

    world.send(SkipRequested(A, "not today"))

    assert NodeSkipped(A, "by hand: not today", by="person") in [e.body for e in world.events]
    assert status(world, Cell("b")) is CellStatus.SKIPPED
    assert status(world, Cell("c")) is CellStatus.SCHEDULED


def test_who_lets_a_node_fail_fails_the_run_with_the_reason() -> None:
    world = run(compute("a"))

    world.send(FailRequested(A, "wrong order"))

    assert world.state.phase is Phase.FAILED
    assert world.state.cause_error == Error("NX-R213", "wrong order", type="FailedByHand")


def test_an_effect_that_is_let_fail_is_stopped_first_and_its_success_still_counts() -> None:
    world = run(effect())
    world.send(FailRequested(A, "wrong order"))
    assert status(world) is CellStatus.STOPPING

    world.send(NodeCompleted(A, world.keep(1), 1))

    assert world.state.phase is Phase.COMPLETED


def test_an_effect_that_is_let_fail_and_never_began_has_failed_by_hand() -> None:
    world = run(effect())
    world.send(FailRequested(A, "wrong order"))

    world.send(AttemptStopped(A, 1, claimed=False))

    assert world.state.phase is Phase.FAILED
    assert world.state.cause_error == Error("NX-R213", "wrong order", type="FailedByHand")


def test_a_repair_round_ends_with_the_node_that_a_person_ends() -> None:
    world = run(Llm(id="a", handler=Handler(ref="m:a"), output={}, models=("m",)), compute("b", "a"))
    world.send(AttemptFailed(A, 1, BOOM, repairable=True, raw=world.keep("{")))
    assert status(world, Cell("a/repair.1")) is CellStatus.SCHEDULED

    world.send(SkipRequested(A, "I know the answer", world.keep(1)))

    assert status(world, Cell("a/repair.1")) is CellStatus.CANCELLED
    assert status(world, Cell("b")) is CellStatus.SCHEDULED


@pytest.mark.parametrize("request_", [SkipRequested(A, "r"), SkipRequested(A, "r", VALUE)])
def test_nothing_is_put_in_place_of_an_effect_that_may_be_acting(request_: Body) -> None:
    assert why_ignored(run(effect()), request_) == "an attempt of this effect may have acted"


def test_nothing_is_put_in_place_of_an_effect_that_may_have_acted_before() -> None:
    world = run(effect(doubt=Dedupes(ttl=3_600 * SECOND)))
    world.send(AttemptFailed(A, 1, BOOM, sent="unknown"))
    assert world.state.cells[A].not_before > world.now

    assert why_ignored(world, SkipRequested(A, "r")) == "an attempt of this effect may have acted"


def test_an_effect_that_waits_for_its_time_and_never_acted_may_be_skipped() -> None:
    world = run(effect())
    world.send(AttemptFailed(A, 1, BOOM))

    world.send(SkipRequested(A, "r"))

    assert status(world) is CellStatus.SKIPPED


@pytest.mark.parametrize("make", [RetryRequested, SkipRequested, FailRequested])
def test_a_request_that_no_longer_fits_is_ignored_with_the_reason(make: Any) -> None:
    assert why_ignored(run(compute("a"), compute("b", "a")), make(Cell("b"), "r")) == "nothing was scheduled there"

    doubtful = run(effect())
    doubtful.send(EffectInDoubt(A, 1, "reset"))
    assert why_ignored(doubtful, make(A, "r")) == "the effect is in doubt, and only evidence ends a doubt"

    over = run(compute("a"), compute("b"))
    over.send(NodeCompleted(A, over.keep(1), 1))
    assert why_ignored(over, make(A, "r")) == "the cell is COMPLETED"

    closing = run(effect("a"), compute("b", retry=PARK))
    closing.send(CancelRequested("enough"))
    assert why_ignored(closing, make(A, "r")) == "the run is closing"

    suspended = run(compute("a"))
    suspended.send(RunSuspended(BOOM))
    assert why_ignored(suspended, make(A, "r")) == "the run is suspended"


def test_an_attempt_that_is_ready_is_not_retried() -> None:
    assert why_ignored(run(compute("a")), RetryRequested(A, "r")) == "an attempt is ready or under way"


def test_a_part_of_a_node_is_asked_for_with_the_node() -> None:
    world = run(Llm(id="a", handler=Handler(ref="m:a"), output={}, models=("m",)))
    world.send(AttemptFailed(A, 1, BOOM, repairable=True, raw=world.keep("{")))

    assert why_ignored(world, FailRequested(Cell("a/repair.1"), "r")) == "it is a part of a"


def test_an_undo_is_not_skipped_without_a_value() -> None:
    world = run(effect("a", compensate=undone_by("a")), compute("b", "a"))
    world.send(NodeCompleted(A, world.keep(1), 1))
    world.send(CancelRequested("enough"))

    assert why_ignored(world, SkipRequested(Cell("a/undo"), "r")).startswith("an undo is not skipped but given up")


def test_a_run_that_closes_drops_what_was_parked() -> None:
    world = run(effect("a", retry=PARK), compute("b"))
    world.send(AttemptFailed(A, 1, BOOM))

    world.send(CancelRequested("enough"))

    assert status(world) is CellStatus.CANCELLED
    assert world.state.phase is Phase.CANCELLED
