"""Calls of an effect with a business key: two runs that make the same ones make them once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel

from calldesk import ACTS, KEYED, NOW, SENT, Desk, Order, Receipt, charge, mail
from doubtful import serve
from nexum.client.interventions import By, terminate
from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import HandlerError, RetryAfter, UnavailableError
from nexum.readouts.run import read_run
from nexum.sdk.io import IO
from nexum.sdk.workflow import Workflow
from nexum.store.api import Store
from nexum.store.verbs import Verbs
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door
from waiting import until

WHY: list[str] = []


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    yield Desk(store)
    ACTS.clear()


def why(desk: Desk, run: str) -> list[str]:
    """What `nexum why` begins with; pages read databases only."""
    store = desk.driver.store
    if not isinstance(store, Verbs):
        return []
    found = read_run(store, run, may_read=True)
    assert found is not None
    return [found.run.standing.sentence.partition(" run ")[0] + " run"]


def twice(order: Order, io: IO) -> Receipt:
    paid = io.call(charge, order.number, 7)
    io.call(mail, order.number)
    return paid


def test_another_run_takes_the_results_of_the_same_calls(desk: Desk) -> None:
    ACTS.update(book=twice)
    first = desk.start(KEYED)
    desk.play(KEYED)
    second = desk.start(KEYED)
    desk.play(KEYED)

    assert [act for act, _ in SENT] == ["charge o-1 7", "mail o-1"]
    assert desk.driver.output(second, "once") == desk.driver.output(first, "once")
    assert desk.driver.state(second).phase is Phase.COMPLETED


class Trip(BaseModel):
    order: str
    cities: list[str]


trips = Workflow("Trips", input=Trip)


@trips.effect(tool="hotels", key="input.order", retry=NOW)
def reserved(trip: Trip, io: IO) -> list[str]:
    for city in trip.cities:
        with suppress(HandlerError):  # a handler that goes on whatever happens
            io.call(mail, city, name=f"reserve-{city}")
    return trip.cities


TRIPS = trips.build()


def test_another_input_under_the_key_makes_no_call_whatever_the_names_of_its_calls(desk: Desk) -> None:
    desk.attempts = Attempts([TRIPS], door=Door(), max_payload=10_000)
    runs = [
        desk.driver.start(TRIPS.graph, {"order": "o-1", "cities": [city]}).run_id for city in ("Oslo", "Rome", "Oslo")
    ]
    desk.play(TRIPS)

    assert [act for act, _ in SENT] == ["mail Oslo"]
    phases = [desk.driver.state(run).phase for run in runs]
    assert phases == [Phase.COMPLETED, Phase.FAILED, Phase.COMPLETED]
    error = desk.driver.state(runs[1]).cause_error
    assert error is not None
    assert (error.code, "for another input" in error.message) == ("NX-E205", True)


def test_a_call_that_another_run_is_making_is_come_back_to(desk: Desk) -> None:
    other = Desk(desk.driver.store, "s2")
    runs: list[str] = []

    def slow(order: str) -> Receipt:
        SENT.append((f"slow {order}", ""))
        runs.append(desk.start(KEYED))
        other.play(KEYED)
        serve(desk.driver, KEYED.graph)
        WHY[:] = why(desk, runs[0])
        return Receipt(id="re")

    ACTS.update(book=lambda order, io: io.call(slow, order.number))
    run = desk.start(KEYED)
    work = desk.begin(KEYED)
    desk.driver.engine.finish(work, desk.execute(work))

    assert SENT == [("slow o-1", "")]
    assert "AttemptFailed" not in other.driver.types(runs[0])  # to wait costs no attempt
    assert ["`once` waits for key once/io.slow, held by run"] * isinstance(desk.driver.store, Verbs) == WHY
    until(lambda: desk.play(KEYED) or desk.driver.state(runs[0]).phase is Phase.COMPLETED)
    assert desk.driver.output(runs[0], "once") == desk.driver.output(run, "once")
    assert desk.driver.state(runs[0]).cells[Cell("once")].attempt == 1
    assert len(SENT) == 1


def test_a_handler_that_goes_on_over_a_call_of_another_run_has_returned_nothing(desk: Desk) -> None:
    other = Desk(desk.driver.store, "s2")
    runs: list[str] = []

    def slow(order: str) -> Receipt:
        runs.append(desk.start(KEYED))
        other.play(KEYED)
        return Receipt(id="re")

    def careless(order: Order, io: IO) -> Receipt:
        with suppress(RetryAfter):
            return io.call(slow, order.number)
        return Receipt(id="made up")

    ACTS.update(book=careless)
    run = desk.start(KEYED)
    desk.play(KEYED)

    assert desk.driver.output(run, "once") == b'{"amount":0,"id":"re"}'
    assert other.driver.types(runs[0]) == ["RunStarted", "NodeScheduled"]  # it waits, and is executed again


def test_a_handler_that_waits_for_a_call_is_given_back_however_long_the_database_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adopted, it would be executed again under the token under which it has been executed."""
    other, asked, runs = Desk(desk.driver.store, "s2"), [], []
    release = desk.driver.store.release

    def away(*named: Any, **options: Any) -> bool:
        asked.append(named)
        if len(asked) == 1:
            raise UnavailableError("gone")
        return release(*named, **options)

    def slow(order: str) -> Receipt:
        second = desk.start(KEYED)
        work = other.begin(KEYED)
        with monkeypatch.context() as patched:
            patched.setattr(desk.driver.store, "release", away)
            other.driver.engine.finish(work, other.execute(work))
        assert other.driver.engine.adopt() == []
        assert not other.driver.engine.may_have_lost
        runs.append(second)
        return Receipt(id="re")

    ACTS.update(book=lambda order, io: io.call(slow, order.number))
    desk.start(KEYED)
    desk.play(KEYED)

    assert len(asked) == 2
    until(lambda: desk.play(KEYED) or desk.driver.state(runs[0]).phase is Phase.COMPLETED)


def test_a_call_that_another_run_left_behind_is_this_runs_doubt(desk: Desk) -> None:
    def lost(order: str) -> Receipt:
        SENT.append((f"lost {order}", ""))
        raise TimeoutError

    ACTS.update(book=lambda order, io: io.call(lost, order.number))
    first = desk.start(KEYED)
    desk.play(KEYED)
    terminate(desk.driver.store, first, By("mika", "enough"))
    second = desk.start(KEYED)
    desk.play(KEYED)

    assert (desk.status(second, "once"), desk.status(second, "once/io.lost")) == (CellStatus.IN_DOUBT,) * 2
    desk.resolve(second, "once/io.lost", "happened", response={"id": "re_5"})
    desk.play(KEYED)
    assert desk.driver.output(second, "once") == b'{"amount":0,"id":"re_5"}'
    assert len(SENT) == 1


def test_an_attempt_that_left_another_call_open_may_not_wait(desk: Desk) -> None:
    other = Desk(desk.driver.store, "s2")
    runs: list[str] = []

    def lost(order: str) -> Receipt:
        raise TimeoutError

    def slow(order: str) -> Receipt:
        ACTS.update(book=impatient)
        runs.append(desk.start(KEYED))
        other.play(KEYED)
        return Receipt(id="re")

    def impatient(order: Order, io: IO) -> Receipt:
        with suppress(TimeoutError):
            io.call(lost, order.number)
        return io.call(slow, order.number)

    ACTS.update(book=lambda order, io: io.call(slow, order.number))
    desk.start(KEYED)
    work = desk.begin(KEYED)
    desk.driver.engine.finish(work, desk.execute(work))

    assert (other.status(runs[0], "once"), other.status(runs[0], "once/io.lost")) == (CellStatus.IN_DOUBT,) * 2
