"""A handler that leaves calls behind in threads and tasks: none is made beside its attempt, none is forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from calldesk import ACTS, ASYNC, SENT, Desk, Order, Receipt, acharge, charge
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.calls import Journal
from nexum.errors import HandlerError
from nexum.sdk.io import IO
from nexum.store.api import Store
from store_tables import rows_of


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    ACTS.clear()
    yield Desk(store)
    ACTS.clear()


def states(desk: Desk) -> dict[str, str]:
    return {row["path"]: row["state"] for row in rows_of(desk.driver.store, "nexum_effects")}


def test_a_thread_that_outlives_its_handler_makes_no_call(desk: Desk) -> None:
    returned, refused = threading.Event(), []

    def late(order: str, io: IO) -> None:
        returned.wait(10)
        try:
            io.call(charge, order, 7, name="late")
        except HandlerError as error:
            refused.append(error.code)

    def careless(order: Order, io: IO) -> Receipt:
        threads.append(threading.Thread(target=late, args=(order.number, io)))
        threads[0].start()
        return Receipt(id="none")

    threads: list[threading.Thread] = []
    ACTS.update(book=careless)
    run = desk.start()
    work = desk.begin()
    outcome = desk.execute(work)
    returned.set()
    threads[0].join(10)
    desk.driver.engine.finish(work, outcome, keep=False)

    assert (refused, SENT, states(desk)) == (["NX-E225"], [], {})
    assert desk.status(run, "book") is CellStatus.COMPLETED


def test_a_call_under_way_in_a_thread_is_waited_for(desk: Desk) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(order: str) -> Receipt:
        begun.set()
        go.wait(10)
        return charge(order, 7)

    def careless(order: Order, io: IO) -> Receipt:
        threading.Thread(target=io.call, args=(slow, order.number), kwargs={"name": "slow"}).start()
        begun.wait(10)
        threading.Timer(0.05, go.set).start()
        return Receipt(id="none")

    ACTS.update(book=careless)
    run = desk.start()
    desk.play()

    assert states(desk) == {"book/io.slow": "APPLIED"}
    assert [path for _, path in desk.told(run)] == ["book/io.slow", "book", "count", ""]


def test_a_call_under_way_in_a_task_is_waited_for_when_another_has_failed(desk: Desk) -> None:
    failing = [True]
    failed: list[asyncio.Event] = []

    async def broken(order: str) -> Receipt:
        if failing.pop():
            raise ConnectionRefusedError
        return Receipt(id="ok")

    async def slow(order: str) -> Receipt:
        await failed[0].wait()
        return charge(order, 7)

    async def both(order: Order, io: IO) -> Receipt:
        calls = (io.acall(slow, order.number, name="slow"), io.acall(broken, order.number, name="broken"))
        failed.append(asyncio.Event())
        try:
            return (await asyncio.gather(*calls))[0]
        finally:
            asyncio.get_running_loop().call_soon(failed[0].set)

    ACTS.update(abook=both)
    run = desk.start(ASYNC)
    work = desk.begin(ASYNC)
    outcome = desk.execute(work)

    assert states(desk) == {"abook/io.slow": "RECORDED", "abook/io.broken": "FAILED"}
    failing.append(False)
    failed.clear()
    desk.driver.engine.finish(work, outcome)
    desk.play(ASYNC)
    assert desk.driver.state(run).phase is Phase.COMPLETED
    assert len(SENT) == 1


def test_a_node_is_not_completed_over_a_call_that_was_claimed_while_it_was_recorded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ACTS.update(book=lambda order, io: Receipt(id="none"))
    run = desk.start()
    work = desk.begin()
    outcome = desk.execute(work)
    real, store = desk.driver.store.open_calls, desk.driver.store
    journal = Journal(store, work, session="s1", actor="s1", inline_max=1_000)

    def late(task: Any) -> Any:
        found = real(task)
        if not states(desk):
            assert journal.claim("late", "hash", policy="hold", ttl=0).token == 1
        return found

    monkeypatch.setattr(store, "open_calls", late)
    desk.driver.engine.finish(work, outcome)

    assert (desk.status(run, "book"), desk.status(run, "book/io.late")) == (CellStatus.IN_DOUBT,) * 2
    assert states(desk) == {"book/io.late": "IN_DOUBT"}
    ACTS.update(book=lambda order, io: io.call(charge, order.number, 7, name="late"))
    desk.resolve(run, "book/io.late", "happened", response={"id": "re_1"})
    assert desk.status(run, "book") is CellStatus.SCHEDULED


async def _late(order: Order, io: IO) -> Receipt:
    LEFT.append(asyncio.ensure_future(io.acall(acharge, order.number, 7, name="late")))
    return Receipt(id="none")


LEFT: list[asyncio.Future[Receipt]] = []


def test_a_task_that_begins_after_its_handler_makes_no_call(desk: Desk) -> None:
    async def main() -> BaseException | None:
        early = desk.early(work)
        outcomes.append(await desk.attempts.execute_async(work, lambda _: None, early))
        (late,) = LEFT
        await asyncio.wait({late})
        return late.exception()

    LEFT.clear()
    outcomes: list[Any] = []
    ACTS.update(abook=_late)
    run = desk.start(ASYNC)
    work = desk.begin(ASYNC)
    error = asyncio.run(main())
    desk.driver.engine.finish(work, outcomes[0])

    assert isinstance(error, HandlerError)
    assert (error.code, SENT) == ("NX-E225", [])
    assert desk.status(run, "abook") is CellStatus.COMPLETED
