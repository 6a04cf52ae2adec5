"""A handler that runs again must ask for every call that it has made before: else it may have made another one instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from calldesk import ACTS, ASYNC, SENT, Desk, Order, Receipt, acharge, charge, mail
from nexum.core.canonical import from_bytes
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import NotSent
from nexum.sdk.io import IO
from nexum.store.api import Store


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    ACTS.clear()
    yield Desk(store)
    ACTS.clear()


def failures(desk: Desk, run: str) -> list[str]:
    return [from_bytes(e.body)["error"]["code"] for e in desk.events(run) if e.type == "AttemptFailed"]


def test_a_handler_that_makes_another_call_instead_of_the_recorded_one_is_parked(desk: Desk) -> None:
    amounts = iter((100, 200))

    def random(order: Order, io: IO) -> Receipt:
        amount = next(amounts)
        paid = io.call(charge, order.number, amount, name=f"charge-{amount}")
        if amount == 100:
            raise NotSent("later")
        return paid

    ACTS.update(book=random)
    run = desk.start()
    desk.play()

    assert failures(desk, run) == ["NX-E101", "NX-E220"]
    (error,) = [from_bytes(e.body)["error"] for e in desk.events(run) if e.type == "NodeParked"]
    assert "book/io.charge-100" in error["message"]
    assert (desk.status(run, "book"), desk.driver.state(run).phase) == (CellStatus.PARKED, Phase.RUNNING)


def test_a_handler_that_leaves_out_what_it_made_before_its_process_died_is_parked(desk: Desk) -> None:
    async def act(order: Order, io: IO) -> Receipt:
        if not SENT:
            await io.acall(acharge, order.number, 7)
        return Receipt(id="none")

    ACTS.update(abook=act)
    run = desk.start(ASYNC)
    desk.execute(desk.begin(ASYNC))  # nobody is left to report it
    desk.die()
    other = Desk(desk.driver.store, "s2")
    other.play(ASYNC)

    assert failures(other, run) == ["NX-E220"]
    assert other.status(run, "abook") is CellStatus.PARKED
    assert len(SENT) == 1


def test_a_call_that_is_asked_for_counts_whatever_the_handler_makes_of_it_and_a_read_need_not_be(desk: Desk) -> None:
    def again(order: Order, io: IO) -> Receipt:
        if not SENT:
            io.read(mail, order.number)
            io.call(charge, order.number, 7)
            raise NotSent("later")
        with suppress(ValueError):
            io.call(charge, order.number, 7)
        return Receipt(id="mine")

    ACTS.update(book=again)
    run = desk.start()
    desk.play()

    assert desk.driver.output(run, "book") == b'{"amount":0,"id":"mine"}'
    assert desk.driver.state(run).phase is Phase.COMPLETED


def test_a_first_execution_asks_the_database_nothing_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(desk.driver.store, "made_calls", asked.append)
    ACTS.update(book=lambda order, io: io.call(charge, order.number, 7))
    run = desk.start()
    desk.play()

    assert (desk.driver.state(run).phase, asked) == (Phase.COMPLETED, [])
