"""How a run closes: stopping, undoing in the order of the graph, pivots, and what the end says, as scripts of messages."""

from __future__ import annotations

import random
from typing import Any

import pytest

from graphs import World, compute, graph, params, undone_by
from nexum.core.graph.nodes import Effect, Handler, Reconciliation
from nexum.core.graph.policies import SECOND, RetryPolicy, TimeoutPolicy
from nexum.core.run.events import (
    AttemptFailed,
    CancelRequested,
    Cell,
    DoubtResolved,
    EffectInDoubt,
    Error,
    FailRequested,
    NodeCompleted,
    NodeParked,
    NodeScheduled,
    RetryRequested,
    RunCancelled,
    RunFailed,
    RunTerminated,
    SkipRequested,
    TimerFired,
)
from nexum.core.run.places import timer_of
from nexum.core.run.plan import plan_of
from nexum.core.run.state import CellStatus, Deed, Phase

BOOM = Error("NX-R200", "boom", retryable=True)
FINAL = Error("NX-R210", "no use")
ONCE = RetryPolicy(max_attempts=1)


def effect(name: str, *sources: str, **more: Any) -> Effect:
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), output={}, params=params(sources), tool="pay", **more)


def booking(name: str, *sources: str, **more: Any) -> Effect:
    return effect(name, *sources, compensate=undone_by(name, *sources, retry=ONCE, **more))


def run(*nodes: Any) -> World:
    return World(plan_of(graph(*nodes)), random.Random(0))


def done(world: World, *paths: str) -> None:
    for path in paths:
        at = world.state.cells[Cell(path)]
        world.send(NodeCompleted(Cell(path), world.keep(path), at.attempt))


def failed(world: World, path: str, error: Error = FINAL) -> None:
    world.send(AttemptFailed(Cell(path), world.state.cells[Cell(path)].attempt, error))


def open_paths(world: World) -> list[str]:
    return sorted(cell.path for cell in world.state.open)


def trip() -> World:
    """Three bookings beside each other, and a charge after them that fails for good."""
    world = run(booking("flight"), booking("car"), booking("hotel"), effect("charge", "flight", "car", "hotel"))
    done(world, "flight", "car", "hotel")
    failed(world, "charge")
    return world


def test_what_was_done_beside_each_other_is_undone_beside_each_other() -> None:
    world = trip()

    assert open_paths(world) == ["car/undo", "flight/undo", "hotel/undo"]
    assert world.state.phase is Phase.CLOSING

    done(world, "flight/undo", "car/undo", "hotel/undo")

    last = world.events[-1].body
    assert last == RunFailed(FINAL, Cell("charge"), "all")


def test_an_undo_that_is_used_up_is_parked_and_the_run_stays_until_a_person_gives_it_up() -> None:
    world = trip()
    done(world, "flight/undo", "hotel/undo")

    failed(world, "car/undo", BOOM)

    assert world.events[-1].body == NodeParked(Cell("car/undo"), BOOM)
    assert (world.state.phase, open_paths(world)) == (Phase.CLOSING, ["car/undo"])

    world.send(FailRequested(Cell("car/undo"), "the garage is bankrupt"))

    last = world.events[-1].body
    assert isinstance(last, RunFailed)
    assert (last.error, last.undone, last.given_up) == (FINAL, "some", (Cell("car/undo"),))


def test_a_parked_undo_that_is_retried_has_its_attempts_anew_and_the_same_key() -> None:
    world = trip()
    done(world, "flight/undo", "hotel/undo")
    failed(world, "car/undo", BOOM)
    key = world.state.cells[Cell("car/undo")].key

    world.send(RetryRequested(Cell("car/undo"), "the garage is open again"))

    at = world.state.cells[Cell("car/undo")]
    assert (at.status, at.attempt, at.key) == (CellStatus.SCHEDULED, 2, key)
    done(world, "car/undo")
    assert isinstance(world.events[-1].body, RunFailed)
    assert world.events[-1].body.undone == "all"


def test_what_a_person_did_in_place_of_a_parked_undo_counts_as_undone() -> None:
    world = trip()
    done(world, "flight/undo", "hotel/undo")
    failed(world, "car/undo", FINAL)  # an undo is parked even when its error is final

    world.send(SkipRequested(Cell("car/undo"), "called them", world.keep("by telephone")))

    assert world.events[-1].body == RunFailed(FINAL, Cell("charge"), "all")


def test_undoing_runs_backwards_along_the_graph_and_a_parked_undo_holds_what_is_above_it() -> None:
    world = run(booking("a"), booking("b", "a"), booking("c"), effect("d", "b", "c"))
    done(world, "a", "b", "c")
    failed(world, "d")
    assert open_paths(world) == ["b/undo", "c/undo"]

    failed(world, "b/undo")
    done(world, "c/undo")
    assert open_paths(world) == ["b/undo"]

    world.send(FailRequested(Cell("b/undo"), "let it be"))
    assert open_paths(world) == ["a/undo"]


def test_an_undo_reads_what_the_deed_read_and_what_it_gave() -> None:
    world = run(compute("order"), booking("pay", "order"), effect("mail", "pay"))
    order = world.keep("order")
    world.send(NodeCompleted(Cell("order"), order, 1))
    done(world, "pay")
    failed(world, "mail")

    undo = world.events[-1].body
    assert isinstance(undo, NodeScheduled)
    assert (undo.cell, undo.kind) == (Cell("pay/undo"), "effect")
    deed = world.state.ledger[world.state.cells[Cell("pay")].key]
    assert undo.inputs == (("pay", deed.output), ("order", deed.inputs[0][1]))
    assert undo.key != world.state.cells[Cell("pay")].key


def test_nothing_at_or_above_a_completed_pivot_is_undone() -> None:
    world = run(
        booking("a"), effect("ship", "a", pivot=True), booking("b", "ship"), booking("c"), effect("d", "b", "c")
    )
    done(world, "a", "ship", "b", "c")
    failed(world, "d")
    assert open_paths(world) == ["b/undo", "c/undo"]

    done(world, "b/undo", "c/undo")

    assert world.events[-1].body == RunFailed(FINAL, Cell("d"), "all")


def test_a_pivot_that_was_not_reached_protects_nothing() -> None:
    world = run(booking("a"), effect("ship", "a", pivot=True))
    done(world, "a")
    failed(world, "ship")

    assert open_paths(world) == ["a/undo"]


def test_a_deed_that_comes_late_is_undone_too() -> None:
    world = run(booking("a"), compute("b", "a"))
    world.send(CancelRequested("enough"))
    assert world.state.cells[Cell("a")].status is CellStatus.STOPPING

    done(world, "a")

    facts = [event.body for event in world.events if isinstance(event.body, NodeCompleted)]
    assert facts[-1].late
    key = world.state.cells[Cell("a")].key
    assert world.state.ledger[key] == Deed(
        Cell("a"), (), facts[-1].output and world.state.cells[Cell("a")].output, late=True
    )
    done(world, "a/undo")
    assert world.events[-1].body == RunCancelled("enough", "all")


def test_doubt_in_a_cancelled_run_is_resolved_first_and_what_happened_is_undone() -> None:
    world = run(booking("a"))
    world.send(EffectInDoubt(Cell("a"), 1, "reset"))
    world.send(CancelRequested("enough"))
    assert world.state.cells[Cell("a")].status is CellStatus.IN_DOUBT

    world.send(DoubtResolved(Cell("a"), "happened", world.keep(1)))
    done(world, "a/undo")

    assert world.events[-1].body == RunCancelled("enough", "all")


def test_doubt_in_a_cancelled_run_that_was_nothing_leaves_nothing_to_undo() -> None:
    world = run(booking("a"))
    world.send(EffectInDoubt(Cell("a"), 1, "reset"))
    world.send(CancelRequested("enough"))

    world.send(DoubtResolved(Cell("a"), "did_not_happen"))

    assert world.events[-1].body == RunCancelled("enough", "")


def test_a_cancellation_may_leave_what_was_done() -> None:
    world = run(booking("a"), compute("b", "a"))
    done(world, "a")

    world.send(CancelRequested("keep it", compensate=False))

    assert world.events[-1].body == RunCancelled("keep it", "none")


def test_an_undo_in_doubt_waits_for_evidence_and_giving_it_up_is_the_end_of_it() -> None:
    world = trip()
    done(world, "flight/undo", "hotel/undo")
    world.send(AttemptFailed(Cell("car/undo"), 1, BOOM, sent="unknown"))
    assert world.state.cells[Cell("car/undo")].status is CellStatus.IN_DOUBT

    world.send(DoubtResolved(Cell("car/undo"), "abandon", evidence="nobody knows"))

    last = world.events[-1].body
    assert isinstance(last, RunFailed)
    assert (last.undone, last.given_up) == ("some", (Cell("car/undo"),))


@pytest.mark.parametrize(("outcome", "phase"), [("happened", Phase.FAILED), ("did_not_happen", Phase.CLOSING)])
def test_an_undo_in_doubt_goes_on_from_what_is_found_out(outcome: str, phase: Phase) -> None:
    world = trip()
    done(world, "flight/undo", "hotel/undo")
    world.send(EffectInDoubt(Cell("car/undo"), 1, "reset"))

    world.send(DoubtResolved(Cell("car/undo"), outcome, world.keep(1) if outcome == "happened" else None))

    assert world.state.phase is phase
    if outcome == "did_not_happen":
        assert world.state.cells[Cell("car/undo")].attempt == 2


def test_an_undo_that_takes_too_long_is_stopped_and_parked() -> None:
    slow = undone_by("a", retry=ONCE, timeouts=TimeoutPolicy(schedule_to_close=SECOND))
    world = run(effect("a", compensate=slow), effect("b", "a"))
    done(world, "a")
    failed(world, "b")
    world.now += 2 * SECOND
    world.send(TimerFired(timer_of(Cell("a/undo"))))
    assert world.state.cells[Cell("a/undo")].status is CellStatus.STOPPING

    failed(world, "a/undo", BOOM)

    at = world.state.cells[Cell("a/undo")]
    assert at.status is CellStatus.PARKED
    assert at.error is not None
    assert at.error.code == "NX-R204"
    world.send(RetryRequested(Cell("a/undo"), "again"))
    failed(world, "a/undo", BOOM)
    assert world.state.cells[Cell("a/undo")].status is CellStatus.PARKED


def test_an_undo_whose_input_was_not_recorded_is_parked_with_a_code() -> None:
    nodes = (compute("x"), compute("y", "x", when="x == 1"))
    pay = Effect(
        id="pay",
        handler=Handler(ref="m:pay"),
        output={},
        params=params((), ("y",)),
        tool="pay",
        compensate=undone_by("pay", "y"),
    )
    world = run(*nodes, pay, effect("mail", "pay"))
    done(world, "x", "pay")
    failed(world, "mail")

    at = world.state.cells[Cell("pay/undo")]
    assert at.status is CellStatus.PARKED
    assert at.error is not None
    assert at.error.code == "NX-E301"
    world.send(RetryRequested(Cell("pay/undo"), "again"))
    assert world.state.cells[Cell("pay/undo")].status is CellStatus.PARKED
    world.send(FailRequested(Cell("pay/undo"), "done by hand"))
    assert world.state.phase is Phase.FAILED


def test_a_result_of_another_run_is_not_undone() -> None:
    world = run(compute("x"), effect("a", key="x", compensate=undone_by("a")), effect("b", "a"))
    done(world, "x")
    world.send(NodeCompleted(Cell("a"), world.keep(1), 1, by="reuse", source="run-9"))

    failed(world, "b")

    assert world.events[-1].body == RunFailed(FINAL, Cell("b"), "")


def test_a_result_that_this_run_left_under_its_own_key_is_undone() -> None:
    world = run(compute("x"), effect("a", key="x", compensate=undone_by("a")), effect("b", "a"))
    done(world, "x")
    world.send(NodeCompleted(Cell("a"), world.keep(1), 1, by="reuse"))

    failed(world, "b")

    assert open_paths(world) == ["a/undo"]


def test_a_terminated_run_ends_at_once_and_says_what_is_in_doubt() -> None:
    world = run(booking("a"), effect("b"), effect("c"))
    done(world, "a")
    world.send(EffectInDoubt(Cell("b"), 1, "reset"))

    world.send(RunTerminated("gone mad", in_flight=(Cell("c"),)))

    assert world.events[-1].body == RunTerminated("gone mad", (Cell("c"),), (Cell("b"),))
    assert world.state.phase is Phase.TERMINATED


def test_the_provider_of_an_undo_in_doubt_is_asked_and_what_it_has_done_counts() -> None:
    how = Reconciliation(handler=Handler(ref="m:find"), params=params(("a",)))
    undo = undone_by("a", retry=ONCE, reconcile=how)
    world = run(effect("a", compensate=undo), effect("b", "a"))
    done(world, "a")
    failed(world, "b")
    world.send(EffectInDoubt(Cell("a/undo"), 1, "reset", quiet_from=world.now))
    asking = Cell("a/undo/reconcile.1")
    assert world.state.cells[asking].inputs == (("a", world.state.cells[Cell("a")].output),)

    world.now += how.settle
    world.send(NodeCompleted(asking, world.keep(1), 1, answer="found"))

    assert world.events[-1].body == RunFailed(FINAL, Cell("b"), "all")
