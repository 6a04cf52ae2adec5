"""Calls of an effect with a business key: two runs that make the same ones make them once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calldesk import ACTS, KEYED, SENT, Desk, Order, Receipt, charge, mail
from nexum.core.canonical import from_bytes
from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus, Phase
from nexum.sdk.io import IO
from nexum.store.api import Store


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    yield Desk(store)
    ACTS.clear()


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


def test_a_call_that_another_run_is_making_is_come_back_to(desk: Desk) -> None:
    other = Desk(desk.driver.store, "s2")
    runs: list[str] = []

    def slow(order: str) -> Receipt:
        SENT.append((f"slow {order}", ""))
        runs.append(desk.start(KEYED))
        other.play(KEYED)
        return Receipt(id="re")

    ACTS.update(book=lambda order, io: io.call(slow, order.number))
    desk.start(KEYED)
    work = desk.begin(KEYED)
    desk.driver.engine.finish(work, desk.execute(work))

    assert SENT == [("slow o-1", "")]
    (failed,) = [event for event in other.events(runs[0]) if event.type == "AttemptFailed"]
    assert from_bytes(failed.body)["error"]["code"] == "NX-R212"
    at = other.driver.state(runs[0]).cells[Cell("once")]
    assert (at.status, at.attempt) == (CellStatus.SCHEDULED, 2)
    assert at.not_before >= failed.at + 1_000_000
