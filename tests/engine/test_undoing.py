"""Runs that close: what was done is undone by workers, on every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine_driver import Driver
from graphs import compute, graph, params, undone_by
from nexum.client.interventions import By, Done, cancel, fail, retry, skip, terminate
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import Dedupes, Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.codec import decode
from nexum.core.run.events import Body, Cell, Error, RunCancelled, RunFailed, RunTerminated
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.reports import outcome_report, record_of
from nexum.engine.work import Failed, Succeeded
from nexum.errors import ConflictError
from nexum.store.api import Store
from store_tables import rows_of

MIKA = By("mika", "the customer withdrew")
NO = Failed(Error("NX-R210", "refused"))
DOWN = Failed(Error("NX-R200", "down", retryable=True))
LOST = Failed(Error("NX-E201", "the connection was reset", retryable=True), sent="unknown")
ONCE = RetryPolicy(max_attempts=1)
PLACES = ("flight", "car", "hotel")


def effect(name: str, *sources: str, **more: Any) -> Effect:
    options: dict[str, Any] = {"tool": name, "output": {}, "doubt": Hold(), "retry": ONCE, **more}
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), params=params(sources), **options)


def booking(name: str, *sources: str) -> Effect:
    return effect(name, *sources, compensate=undone_by(name, *sources, retry=ONCE))


TRIP = graph(*(booking(place, "input") for place in PLACES), effect("charge", *PLACES))
ONE = graph(booking("book", "input"), compute("mail", "book"))


def last(driver: Driver, run: str) -> Body:
    row = driver.events(run)[-1]
    return decode(row.type, Cell("", 0), row.body)


def calls(driver: Driver) -> list[str]:
    return [call.node.id for call in driver.calls]


def effects(store: Store) -> dict[str, str]:
    return {str(row["path"]): str(row["state"]) for row in rows_of(store, "nexum_effects")}


def failing_trip(driver: Driver, **handlers: Any) -> str:
    driver.handlers |= {"charge": lambda work: NO, **handlers}
    run = driver.start(TRIP, 7).run_id
    driver.play(TRIP)
    return run


def test_a_failed_run_undoes_its_bookings_once_each_under_keys_of_their_own(driver: Driver) -> None:
    run = failing_trip(driver)

    undone = [call for call in driver.calls if call.node.id.endswith("/undo")]
    assert sorted(call.node.id for call in undone) == ["car/undo", "flight/undo", "hotel/undo"]
    assert len({call.key for call in driver.calls}) == 7
    assert all(call.inputs == ((call.node.id.partition("/")[0], b"8"), ("input", b"7")) for call in undone)
    end = last(driver, run)
    assert isinstance(end, RunFailed)
    assert (end.undone, end.error.message) == ("all", "refused")
    assert effects(driver.store) == {
        **dict.fromkeys(PLACES, "APPLIED"),
        **{f"{place}/undo": "APPLIED" for place in PLACES},
        "charge": "FAILED",
    }


def test_an_undo_that_fails_is_parked_until_somebody_tries_again(driver: Driver) -> None:
    run = failing_trip(driver, **{"car/undo": lambda work: DOWN})
    state = driver.state(run)
    assert (state.phase, state.cells[Cell("car/undo")].status) == (Phase.CLOSING, CellStatus.PARKED)
    assert rows_of(driver.store, "nexum_tasks") == []

    driver.handlers["car/undo"] = lambda work: "undone"
    answer = retry(driver.store, run, Cell("car/undo"), By("mika", ""))
    driver.play(TRIP)

    assert (answer.node_status, answer.run_status) == ("SCHEDULED", "CLOSING")
    again = [call for call in driver.calls if call.node.id == "car/undo"]
    assert [call.attempt for call in again] == [1, 2]
    assert len({call.key for call in again}) == 1
    assert last(driver, run) == RunFailed(Error("NX-R210", "refused"), Cell("charge"), "all")


def test_an_undo_that_is_given_up_stands_in_the_end_of_the_run(driver: Driver) -> None:
    run = failing_trip(driver, **{"car/undo": lambda work: NO})

    answer = fail(driver.store, run, Cell("car/undo"), By("mika", "the garage is gone"))

    assert (answer.node_status, answer.run_status) == ("FAILED", "FAILED")
    assert last(driver, run) == RunFailed(Error("NX-R210", "refused"), Cell("charge"), "some", (Cell("car/undo"),))


def test_an_undo_that_was_done_by_hand_counts_as_undone(driver: Driver) -> None:
    run = failing_trip(driver, **{"car/undo": lambda work: NO})

    answer = skip(driver.store, run, Cell("car/undo"), By("mika", "called them"), value={"by": "telephone"})

    assert (answer.node_status, answer.run_status) == ("COMPLETED", "FAILED")
    assert driver.output(run, "car/undo") == b'{"by":"telephone"}'


def test_an_undo_in_doubt_is_held_like_every_effect(driver: Driver) -> None:
    run = failing_trip(driver, **{"car/undo": lambda work: LOST})

    assert driver.state(run).cells[Cell("car/undo")].status is CellStatus.IN_DOUBT
    assert effects(driver.store)["car/undo"] == "IN_DOUBT"
    assert driver.state(run).phase is Phase.CLOSING


def test_a_cancelled_run_undoes_what_it_did_and_begins_nothing(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    assert driver.engine.finish(work, driver.execute(work), keep=False) is None

    answer = cancel(driver.store, run, MIKA)
    driver.play(ONE)

    assert answer.run_status == "CLOSING"
    assert calls(driver) == ["book", "book/undo"]
    assert last(driver, run) == RunCancelled(MIKA.reason, "all")
    request = next(row for row in driver.events(run) if row.type == "CancelRequested")
    assert (request.actor, request.seq) == ("mika", answer.seq)


def test_a_cancellation_may_leave_what_was_done(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    driver.engine.finish(work, driver.execute(work), keep=False)

    answer = cancel(driver.store, run, MIKA, compensate=False)

    assert answer.run_status == "CANCELLED"
    assert last(driver, run) == RunCancelled(MIKA.reason, "none")


def test_an_effect_that_nobody_had_claimed_never_runs_after_a_cancellation(driver: Driver) -> None:
    run = driver.start(ONE).run_id

    answer = cancel(driver.store, run, MIKA)

    assert driver.claim(ONE) == []
    assert answer.run_status == "CANCELLED"
    assert last(driver, run) == RunCancelled(MIKA.reason)


def test_an_effect_that_was_under_way_counts_when_it_comes_and_is_undone(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    assert cancel(driver.store, run, MIKA).run_status == "CLOSING"

    driver.go_on(work)
    driver.play(ONE)

    assert calls(driver) == ["book", "book/undo"]
    assert last(driver, run) == RunCancelled(MIKA.reason, "all")


@pytest.mark.parametrize("sent", ["no", "unknown"])
def test_an_effect_that_was_under_way_and_failed_ends_the_run_or_is_in_doubt(driver: Driver, sent: str) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    cancel(driver.store, run, MIKA)
    driver.handlers["book"] = lambda work: Failed(Error("NX-R200", "x", retryable=True), sent=sent)

    driver.go_on(work)

    expected = Phase.CANCELLED if sent == "no" else Phase.CLOSING
    assert driver.state(run).phase is expected


def test_a_second_cancellation_is_answered_with_the_first(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    driver.claim(ONE)
    cancel(driver.store, run, MIKA)

    with pytest.raises(ConflictError) as refused:
        cancel(driver.store, run, By("juno", "me too"))

    assert refused.value.code == "NX-R409"
    assert "closing already, cancelled" in refused.value.message


def test_a_run_that_has_ended_is_not_cancelled_and_says_how_it_ended(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    driver.play(ONE)

    for act in (cancel, terminate):
        with pytest.raises(ConflictError) as refused:
            act(driver.store, run, MIKA)
        assert "has ended as COMPLETED" in refused.value.message
    assert driver.types(run)[-1] == "RunCompleted"


def test_a_terminated_run_ends_at_once_and_names_what_was_under_way_and_in_doubt(driver: Driver) -> None:
    g = graph(effect("a", "input"), effect("b", "input"), effect("c", "input"))
    driver.handlers.update(dict.fromkeys("abc", lambda work: LOST))
    run = driver.start(g).run_id
    (first,) = driver.claim(g)
    driver.engine.finish(first, driver.execute(first), keep=False)
    (second,) = driver.claim(g)

    answer = terminate(driver.store, run, By("mika", "out of control"))

    third = ({"a", "b", "c"} - {first.node.id, second.node.id}).pop()
    assert (answer.run_status, answer.in_flight, answer.in_doubt) == ("TERMINATED", (second.cell,), (first.cell,))
    assert last(driver, run) == RunTerminated("out of control", (second.cell,), (first.cell,))
    assert driver.claim(g) == []
    assert effects(driver.store)[second.node.id] == "IN_DOUBT"
    assert third not in effects(driver.store)


def test_what_comes_after_the_termination_is_evidence_and_no_event(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    terminate(driver.store, run, MIKA)
    length = len(driver.events(run))

    assert driver.engine.finish(work, Succeeded(b"1", reference="re_1")) is None
    driver.engine.drain(run)

    assert len(driver.events(run)) == length
    assert [row["type"] for row in rows_of(driver.store, "nexum_late_arrivals")] == ["NodeCompleted"]
    (row,) = rows_of(driver.store, "nexum_effects")
    assert (row["state"], row["reference"]) == ("RECORDED", "re_1")


def test_a_worker_that_dies_in_an_undo_leaves_a_doubt_and_not_a_second_undo(
    store: Store, another: Callable[[str], Driver]
) -> None:
    driver = another("s1")
    driver.handlers |= {"charge": lambda work: NO}
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    driver.engine.finish(work, driver.execute(work), keep=False)
    cancel(driver.store, run, MIKA)
    (undo,) = driver.claim(ONE)
    assert undo.node.id == "book/undo"

    driver.store.end_session("s1", proof="killed")
    driver.sweep()

    assert driver.state(run).cells[Cell("book/undo")].status is CellStatus.IN_DOUBT


def test_an_undo_whose_result_arrives_twice_is_undone_once(driver: Driver) -> None:
    run = driver.start(ONE).run_id
    (work,) = driver.claim(ONE)
    driver.engine.finish(work, driver.execute(work), keep=False)
    cancel(driver.store, run, MIKA)
    (undo,) = driver.claim(ONE)
    report = outcome_report(driver.store, undo.task, undo.token, Succeeded(b"1"), tenant=undo.tenant, key=undo.key)
    driver.store.record(record_of(report, session=driver.session, trace=undo.trace, at=driver.store.now()))

    driver.engine.finish(undo, Succeeded(b"1"))
    driver.engine.drain(run)

    assert driver.types(run).count("RunCancelled") == 1
    assert driver.state(run).phase is Phase.CANCELLED


def given_back(driver: Driver, g: Graph) -> str:
    """A run whose effect a worker had begun when it died, and may be sent again under its key."""
    run = driver.start(g).run_id
    assert len(driver.claim(g)) == 1
    driver.store.end_session(driver.session, proof="killed")
    driver.sweep()
    assert driver.types(run)[-1] == "NodeScheduled"
    return run


@pytest.mark.parametrize("act", [cancel, terminate])
def test_an_effect_that_a_dead_worker_had_begun_may_have_acted(driver: Driver, act: Callable[..., Done]) -> None:
    g = graph(effect("book", "input", doubt=Dedupes(ttl=3_600_000_000), compensate=undone_by("book")))
    run = given_back(driver, g)

    answer = act(driver.store, run, MIKA)

    if act is terminate:
        assert answer.in_flight == (Cell("book"),)
    else:
        assert driver.state(run).cells[Cell("book")].status is CellStatus.IN_DOUBT
        assert (answer.run_status, driver.state(run).phase) == ("CLOSING", Phase.CLOSING)
    assert effects(driver.store) == {"book": "IN_DOUBT"}


def test_an_effect_that_a_dead_worker_had_begun_is_not_let_fail_without_evidence(driver: Driver) -> None:
    g = graph(effect("book", "input", doubt=Dedupes(ttl=3_600_000_000)))
    run = given_back(driver, g)

    assert fail(driver.store, run, Cell("book"), MIKA).node_status == "IN_DOUBT"
