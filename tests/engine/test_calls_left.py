"""A node that ends without its handler, or beside it: no call that it has left behind is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from calldesk import ACTS, HOUR, SENT, Desk, Order, Receipt, charge
from nexum.client.interventions import By, cancel, fail, skip, terminate
from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import ConflictError, RetryAfter
from nexum.sdk.io import IO
from nexum.sdk.workflow import Workflow
from nexum.store.api import Store
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door
from store_tables import rows_of

MIKA = By("mika", "enough of it")
SEND = "book/io.send"


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    ACTS.clear()
    yield Desk(store)
    ACTS.clear()


def send(order: str, *, idempotency_key: str) -> Receipt:
    """Nobody knows whether it was done."""
    SENT.append((f"send {order}", idempotency_key))
    raise TimeoutError("no answer")


def later(order: Order, io: IO) -> Receipt:
    """Its call may be made again under the same key, and the next attempt waits for a minute."""
    try:
        return io.call(send, order.number, provider=HOUR)
    except TimeoutError as error:
        raise RetryAfter(60, "in a minute") from error


def one_attempt(desk: Desk) -> str:
    """A run whose effect waits for its second attempt; the first has left a call of which nobody knows."""
    ACTS.update(book=later)
    run = desk.start()
    work = desk.begin()
    desk.driver.engine.finish(work, desk.execute(work))
    assert (desk.status(run, "book"), states(desk)) == (CellStatus.SCHEDULED, ["UNKNOWN"])
    return run


def states(desk: Desk) -> list[str]:
    """Those of all effects, by path."""
    return [row["state"] for row in sorted(rows_of(desk.driver.store, "nexum_effects"), key=lambda row: row["path"])]


@pytest.mark.parametrize(
    "end",
    [
        lambda store, run: cancel(store, run, MIKA),
        lambda store, run: fail(store, run, Cell("book"), MIKA),
    ],
    ids=["cancelled", "failed by hand"],
)
def test_a_node_that_waits_for_its_next_attempt_does_not_end_over_an_unknown_call(
    desk: Desk, end: Callable[[Store, str], object]
) -> None:
    run = one_attempt(desk)
    end(desk.driver.store, run)

    assert (desk.status(run, "book"), desk.status(run, SEND)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
    assert states(desk) == ["IN_DOUBT"]
    desk.resolve(run, SEND, "did_not_happen")
    assert desk.driver.state(run).phase in (Phase.CANCELLED, Phase.FAILED)
    assert len(SENT) == 1


def test_nothing_is_put_in_place_of_a_node_whose_call_may_have_been_made(desk: Desk) -> None:
    run = one_attempt(desk)
    with pytest.raises(ConflictError, match="may have been made"):
        skip(desk.driver.store, run, Cell("book"), MIKA, value={"id": "by hand", "amount": 0})

    assert (desk.status(run, "book"), states(desk)) == (CellStatus.SCHEDULED, ["UNKNOWN"])


def test_a_terminated_run_leaves_its_unknown_calls_in_doubt(desk: Desk) -> None:
    run = one_attempt(desk)
    done = terminate(desk.driver.store, run, MIKA)

    assert done.in_flight == (Cell("book"),)
    assert states(desk) == ["IN_DOUBT"]


def test_an_attempt_that_was_to_be_stopped_is_in_doubt_when_its_process_died_in_a_call(desk: Desk) -> None:
    def dies(order: str, *, idempotency_key: str) -> Receipt:
        SENT.append((f"send {order}", idempotency_key))
        cancel(desk.driver.store, run, MIKA)
        desk.die()
        raise KeyboardInterrupt  # nobody hears of it

    ACTS.update(book=lambda order, io: io.call(dies, order.number, provider=HOUR))
    run = desk.start()
    desk.execute(desk.begin())
    other = Desk(desk.driver.store, "s2")
    other.play()

    assert (other.status(run, "book"), other.status(run, "book/io.dies")) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
    other.resolve(run, "book/io.dies", "happened", response={"id": "re_1", "amount": 0})
    assert other.driver.state(run).phase is Phase.CANCELLED
    assert len(SENT) == 1


def test_a_failure_that_is_folded_after_a_cancellation_does_not_end_its_node_over_an_unknown_call(desk: Desk) -> None:
    ACTS.update(book=later)
    run = desk.start()
    work = desk.begin()
    outcome = desk.execute(work)
    cancel(desk.driver.store, run, MIKA)
    desk.driver.engine.finish(work, outcome)

    assert (desk.status(run, "book"), desk.status(run, SEND)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
    desk.resolve(run, SEND, "abandon")
    assert desk.driver.state(run).phase is Phase.CANCELLED


def test_a_node_waits_for_the_last_of_its_doubts_when_one_is_given_up(desk: Desk) -> None:
    def both(order: Order, io: IO) -> Receipt:
        for name in ("first", "second"):
            try:
                io.call(send, order.number, name=name)
            except TimeoutError:
                continue
        return Receipt(id="made up")

    ACTS.update(book=both)
    run = desk.start()
    desk.play()
    desk.resolve(run, "book/io.first", "abandon")
    assert (desk.status(run, "book"), desk.status(run, "book/io.second")) == (CellStatus.IN_DOUBT,) * 2

    desk.resolve(run, "book/io.second", "happened", response={"id": "re_2", "amount": 0})
    desk.play()

    assert desk.status(run, "book") is CellStatus.FAILED
    assert [act for act, _ in SENT] == ["send o-1", "send o-1"]


def test_nobody_decides_about_a_call_while_its_node_may_still_act(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up now, a call to a provider that dedupes would be sent again by the attempt that is delivered again."""
    ACTS.update(book=lambda order, io: io.call(send, order.number, provider=HOUR))
    run = desk.start()
    for _ in range(2):
        work = desk.begin()
        desk.driver.engine.finish(work, desk.execute(work), keep=False)
    work = desk.begin()
    outcome = desk.execute(work)
    with monkeypatch.context() as patched:
        patched.setattr(desk.driver.store, "record", _dies)  # the call is in doubt, and its node was about to be
        with pytest.raises(KeyboardInterrupt):
            desk.driver.engine.finish(work, outcome)
    desk.driver.engine.drain(run)
    assert (desk.status(run, "book"), desk.status(run, SEND)) == (CellStatus.SCHEDULED, CellStatus.IN_DOUBT)

    with pytest.raises(ConflictError, match="book still has an attempt under way") as refused:
        desk.resolve(run, SEND, "abandon")
    assert refused.value.code == "NX-E409"
    desk.die()
    other = Desk(desk.driver.store, "s2")
    other.play()
    other.resolve(run, SEND, "abandon")

    assert (other.status(run, "book"), other.status(run, SEND)) == (CellStatus.FAILED, CellStatus.FAILED)
    assert len(SENT) == 3


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_call_that_comes_into_doubt_a_second_time_is_decided_a_second_time(desk: Desk) -> None:
    ACTS.update(book=lambda order, io: io.call(send, order.number))
    run = desk.start()
    desk.play()
    desk.resolve(run, SEND, "did_not_happen")
    desk.play()
    assert (desk.status(run, SEND), len(SENT)) == (CellStatus.IN_DOUBT, 2)

    desk.resolve(run, SEND, "happened", response={"id": "re_9", "amount": 3})
    desk.play()

    assert desk.driver.output(run, "book") == b'{"amount":3,"id":"re_9"}'


pays, makes_calls = Workflow("Pays", input=Order), Workflow("MakesCalls", input=Order)


@pays.effect(tool="bank", key="input.number")
def pay(order: Order) -> Receipt:
    return charge(order.number, 1)


@makes_calls.effect(tool="bank", key="input.number")
def calls(order: Order, io: IO) -> Receipt:
    return io.call(charge, order.number, 7)


PAYS, MAKES_CALLS = pays.build(), makes_calls.build()


def test_a_node_that_makes_calls_says_nothing_about_an_effect_of_the_same_business_key(desk: Desk) -> None:
    driver = desk.driver
    desk.attempts = Attempts([PAYS, MAKES_CALLS], door=Door(), max_payload=10_000)
    driver.start(PAYS.graph, {"number": "o-1"})
    run = driver.start(MAKES_CALLS.graph, {"number": "o-1"}).run_id
    desk.begin(PAYS)  # somebody is about to do it

    work = desk.begin(MAKES_CALLS)
    driver.engine.finish(work, desk.execute(work))

    assert desk.status(run, "calls") is CellStatus.COMPLETED
    found = {row["path"]: row["state"] for row in rows_of(driver.store, "nexum_effects")}
    assert found == {"pay": "CLAIMED", "calls/io.(input)": "APPLIED", "calls/io.charge": "APPLIED"}
