"""Retries, time limits, doubt and closing, as scripts of messages and asserted states."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs import World, compute, graph, params
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import MINUTE, SECOND, Dedupes, Hold, RetryPolicy, TimeoutPolicy
from nexum.core.run import retry
from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    CancelRequested,
    Cell,
    DoubtResolved,
    EffectInDoubt,
    Error,
    Ignored,
    NodeCompleted,
    NodeScheduled,
    NodeSkipped,
    RetryScheduled,
    RunFailed,
    TimerFired,
)
from nexum.core.run.places import timer_of
from nexum.core.run.plan import plan_of
from nexum.core.run.state import CellStatus, Phase

BOOM = Error("NX-R200", "boom", retryable=True)
FINAL = Error("NX-R210", "no use")
A = Cell("a")


def run(*nodes: object, **more: object) -> World:
    return World(plan_of(graph(*nodes)), random.Random(0), **more)  # type: ignore[arg-type]


def effect(name: str = "a", *sources: str, **more: object) -> Effect:
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), output={}, params=params(sources), tool="pay", **more)  # type: ignore[arg-type]


def test_the_wait_doubles_up_to_the_ceiling() -> None:
    policy = RetryPolicy(max_attempts=99, jitter=0.0)

    waits = [retry.wait(policy, attempt) // SECOND for attempt in (1, 2, 3, 9, 10, 98)]

    assert waits == [1, 2, 4, 256, 300, 300]


@given(attempt=st.integers(1, 999_999), spread=st.floats(0, 1, exclude_max=True))
def test_no_wait_exceeds_the_ceiling_by_more_than_the_spread(attempt: int, spread: float) -> None:
    answer = retry.after(RetryPolicy(max_attempts=1_000_000), attempt, failed_at=0, spread=spread)

    assert isinstance(answer, retry.Again)
    assert 0 < answer.at <= 5 * MINUTE * 1.1


def test_the_last_attempt_is_the_last() -> None:
    world = run(compute("a", retry=RetryPolicy(max_attempts=2, jitter=0.0)))
    world.send(AttemptFailed(A, 1, BOOM))
    assert world.events[-1].body == RetryScheduled(A, 2, world.now + SECOND)

    world.send(AttemptFailed(A, 2, BOOM))

    assert isinstance(world.events[-1].body, RunFailed)
    assert world.state.cause_error == BOOM


def test_an_error_that_is_not_retryable_fails_the_node_at_once() -> None:
    world = run(compute("a"))

    world.send(AttemptFailed(A, 1, FINAL))

    assert world.state.phase is Phase.FAILED


def test_a_failed_condition_fails_the_node_with_its_code() -> None:
    world = run(compute("a"), compute("b", when="10 / a > 1"))

    world.send(NodeCompleted(A, world.keep(0), 1))

    assert world.state.phase is Phase.FAILED
    assert world.state.cause_error is not None
    assert world.state.cause_error.code == "NX-R301"


def test_a_required_source_that_was_skipped_skips_its_reader_and_a_nullable_one_does_not() -> None:
    world = run(compute("a"), compute("b", "a", when="a > 5"), compute("c", "b"), compute("d", optional=("b",)))

    world.send(NodeCompleted(A, world.keep(3), 1))

    assert [e.body for e in world.events if isinstance(e.body, NodeSkipped)] == [
        NodeSkipped(Cell("b"), "condition false"),
        NodeSkipped(Cell("c"), "no b"),
    ]
    assert world.possible() == [Cell("d")]


def test_a_condition_over_a_skipped_node_says_so() -> None:
    world = run(compute("a"), compute("b", "a", when="a > 5"), compute("c", when="b > 1"))

    world.send(NodeCompleted(A, world.keep(3), 1))

    assert NodeSkipped(Cell("c"), "condition unknown: b was skipped") in [e.body for e in world.events]


def test_an_order_is_not_a_condition() -> None:
    world = run(compute("a"), compute("b", "a", when="a > 5"), compute("c", after=("b",)))

    world.send(NodeCompleted(A, world.keep(3), 1))

    assert world.possible() == [Cell("c")]


def test_a_business_key_is_the_same_in_every_run() -> None:
    node = effect("b", key="a")
    keys = set()
    for run_id in ("run-1", "run-2"):
        world = run(compute("a"), node)
        world.state = world.state._replace(run_id=run_id)
        world.send(NodeCompleted(A, world.keep("order-7"), 1))
        keys.add(world.state.cells[Cell("b")].key)

    assert len(keys) == 1


def test_a_derived_key_is_another_in_every_run() -> None:
    keys = {World(plan_of(graph(effect())), random.Random(0)).state.cells[A].key for _ in range(2)}

    assert len(keys) == 1
    assert keys.pop().startswith("nx1-")


def test_an_unknown_outcome_under_a_deduping_provider_is_sent_again_with_the_same_key() -> None:
    world = run(effect(doubt=Dedupes(ttl=3_600 * SECOND)))
    key = world.state.cells[A].key

    world.send(AttemptFailed(A, 1, BOOM, sent="unknown"))

    assert world.state.cells[A].status is CellStatus.SCHEDULED
    assert (world.state.cells[A].attempt, world.state.cells[A].key) == (2, key)


@pytest.mark.parametrize("late", [True, False])
def test_an_unknown_outcome_is_in_doubt_without_a_young_key(late: bool) -> None:
    world = run(effect(doubt=Dedupes(ttl=3_600 * SECOND) if late else Hold()))
    world.now += 3_000 * SECOND if late else 0

    world.send(AttemptFailed(A, 1, BOOM, sent="unknown"))

    assert world.state.cells[A].status is CellStatus.IN_DOUBT
    assert isinstance(world.events[-1].body, EffectInDoubt)


def test_doubt_is_left_by_evidence() -> None:
    world = run(effect())
    world.send(EffectInDoubt(A, 1, "reset"))
    world.send(AttemptFailed(A, 1, BOOM))
    assert isinstance(world.events[-1].body, Ignored)

    world.send(DoubtResolved(A, "happened", world.keep({"id": "re_1"})))

    assert world.state.phase is Phase.COMPLETED


def test_a_late_result_of_an_effect_in_doubt_is_its_result() -> None:
    world = run(effect())
    world.send(EffectInDoubt(A, 1, "process died"))

    world.send(NodeCompleted(A, world.keep({"id": "re_1"}), 1))

    assert world.state.phase is Phase.COMPLETED


def test_an_overdue_pure_node_fails_and_its_late_result_is_ignored() -> None:
    world = run(compute("a", timeouts=TimeoutPolicy(schedule_to_close=SECOND)), compute("b"))
    world.now += 2 * SECOND

    world.send(TimerFired(timer_of(A)))

    assert world.state.phase is Phase.FAILED
    assert world.state.cause_error is not None
    assert world.state.cause_error.code == "NX-R204"


def test_an_overdue_effect_is_asked_to_stop_and_its_success_still_counts() -> None:
    world = run(effect(timeouts=TimeoutPolicy(schedule_to_close=SECOND)))
    world.now += 2 * SECOND
    world.send(TimerFired(timer_of(A)))
    assert world.state.cells[A].status is CellStatus.STOPPING

    world.send(NodeCompleted(A, world.keep(1), 1))

    assert world.state.phase is Phase.COMPLETED


def test_a_timer_never_fires_before_its_time_nor_after_it_was_disarmed() -> None:
    world = run(compute("a", timeouts=TimeoutPolicy(schedule_to_close=SECOND)), compute("b", "a"))
    world.send(TimerFired(timer_of(A)))
    assert isinstance(world.events[-1].body, Ignored)
    world.send(NodeCompleted(A, world.keep(1), 1))
    world.now += 2 * SECOND

    world.send(TimerFired(timer_of(A)))

    assert world.events[-1].body == Ignored("TimerFired", "the timer is not armed")


def test_a_cancelled_run_waits_for_its_effects_and_drops_the_rest() -> None:
    world = run(effect("a"), compute("b"), compute("c", "b"))
    world.send(CancelRequested("customer withdrew"))
    assert world.state.phase is Phase.CLOSING
    assert world.state.cells[Cell("b")].status is CellStatus.CANCELLED

    world.send(AttemptStopped(A, 1, claimed=False))

    assert world.state.phase is Phase.CANCELLED
    assert Cell("c") not in world.state.cells


def test_a_stopped_effect_that_may_have_acted_is_in_doubt() -> None:
    world = run(effect(doubt=Dedupes(ttl=3_600 * SECOND)))
    world.send(AttemptFailed(A, 1, BOOM, sent="unknown"))
    world.send(CancelRequested("enough"))

    world.send(AttemptStopped(A, 2, claimed=False))

    assert world.state.cells[A].status is CellStatus.IN_DOUBT
    assert world.state.phase is Phase.CLOSING


def test_the_result_is_an_object_of_the_named_nodes() -> None:
    nodes = (compute("a"), compute("b"))
    world = World(plan_of(graph(*nodes, result=("a", "b"))), random.Random(0))
    world.send(NodeCompleted(A, world.keep(1), 1))
    world.send(NodeCompleted(Cell("b"), world.keep(2), 1))

    result = world.events[-1].body.result  # type: ignore[union-attr]
    assert [name for name, _ in result] == ["a", "b"]


def test_inputs_are_resolved_once_and_kept_over_attempts() -> None:
    world = run(compute("a"), effect("b", "a"))
    world.send(NodeCompleted(A, world.keep(1), 1))
    scheduled = next(e.body for e in world.events if isinstance(e.body, NodeScheduled) and e.body.cell.path == "b")

    world.send(AttemptFailed(Cell("b"), 1, BOOM))

    assert world.state.cells[Cell("b")].inputs == scheduled.inputs
    assert world.state.cells[Cell("b")].input_hash == scheduled.input_hash
