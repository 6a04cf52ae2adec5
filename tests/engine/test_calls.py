"""Calls that an effect's handler journals, on every store: made once, found again, in doubt on their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from calldesk import ACTS, ASYNC, HOUR, SENT, Desk, Order, Receipt, acharge, charge, mail
from nexum.core.canonical import from_bytes
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed, TakenBack
from nexum.errors import ConflictError, InputError, NotSent, UnavailableError
from nexum.sdk.io import IO
from nexum.store.api import Mail, Store
from store_tables import rows_of

CHARGE = "book/io.charge"


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    ACTS.clear()
    yield Desk(store)
    ACTS.clear()


def twice(order: Order, io: IO) -> Receipt:
    paid = io.call(charge, order.number, 7)
    io.call(mail, order.number)
    return paid


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


def killed(*_: object, **__: object) -> Any:
    raise Killed


def dies_after(desk: Desk, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """One attempt whose process is killed instead of reaching this verb of its journal; the task goes to the next one."""
    work = desk.begin()
    with monkeypatch.context() as patched:
        patched.setattr("nexum.engine.calls.Journal." + verb, killed)
        patched.setattr("nexum.engine.calls.Journal.end", killed)
        with_failure = desk.execute(work)
    assert isinstance(with_failure, Failed)  # nobody is left to report it
    desk.die()


def test_calls_are_made_once_each_and_stand_in_the_history_before_their_node(desk: Desk) -> None:
    ACTS.update(book=twice)
    run = desk.start()
    desk.play()

    assert [act for act, _ in SENT] == ["charge o-1 7", "mail o-1"]
    assert desk.told(run) == [
        ("NodeCompleted", CHARGE),
        ("NodeCompleted", "book/io.mail"),
        ("NodeCompleted", "book"),
        ("NodeCompleted", "count"),
        ("RunCompleted", ""),
    ]
    assert [from_bytes(e.body).get("by") for e in desk.events(run) if e.path == CHARGE] == ["call"]
    assert desk.driver.output(run, CHARGE) == b'{"amount":7,"id":"re_1"}'
    found = {row["path"]: row for row in rows_of(desk.driver.store, "nexum_effects")}
    assert {path: row["state"] for path, row in found.items()} == {CHARGE: "APPLIED", "book/io.mail": "APPLIED"}
    assert SENT[0][1] == found[CHARGE]["key"] != ""


def test_what_was_recorded_before_the_process_died_is_not_made_again(desk: Desk, monkeypatch: Any) -> None:
    ACTS.update(book=lambda order, io: (io.call(charge, order.number, 7), io.read(mail, order.number))[0])
    run = desk.start()
    dies_after(desk, monkeypatch, "keep")
    desk.driver.engine.drain(run)
    assert desk.told(run) == [("NodeCompleted", CHARGE)]

    other = Desk(desk.driver.store, "s2")
    other.play()

    assert [act for act, _ in SENT] == ["charge o-1 7", "mail o-1", "mail o-1"]  # a read may be asked again
    assert other.driver.state(run).phase is Phase.COMPLETED


def test_a_call_whose_process_died_before_the_record_is_held_with_its_node(desk: Desk, monkeypatch: Any) -> None:
    ACTS.update(book=twice)
    run = desk.start()
    dies_after(desk, monkeypatch, "record")
    other = Desk(desk.driver.store, "s2")
    other.play()

    assert len(SENT) == 1
    assert (other.status(run, "book"), other.status(run, CHARGE)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
    error = other.driver.state(run).cells[next(c for c in other.driver.state(run).open if c.path == "book")].error
    assert error is not None
    assert CHARGE in error.message
    (row,) = rows_of(desk.driver.store, "nexum_effects")
    assert (row["state"], row["path"]) == ("IN_DOUBT", CHARGE)


def held(desk: Desk, monkeypatch: Any) -> tuple[str, Desk]:
    ACTS.update(book=twice)
    run = desk.start()
    dies_after(desk, monkeypatch, "record")
    other = Desk(desk.driver.store, "s2")
    other.play()
    return run, other


def test_a_call_that_happened_is_returned_from_the_journal_and_the_node_goes_on(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)

    other.resolve(run, CHARGE, "happened", response={"id": "re_9", "amount": 5})
    other.play()

    assert [act for act, _ in SENT] == ["charge o-1 7", "mail o-1"]
    assert other.driver.output(run, "book") == b'{"amount":5,"id":"re_9"}'
    assert other.driver.state(run).phase is Phase.COMPLETED
    assert {row["state"] for row in rows_of(desk.driver.store, "nexum_effects")} == {"APPLIED"}


def test_a_call_that_did_not_happen_is_made_again_under_the_same_key(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)

    other.resolve(run, CHARGE, "did_not_happen")
    other.play()

    assert [act for act, _ in SENT] == ["charge o-1 7", "charge o-1 7", "mail o-1"]
    assert len({key for act, key in SENT if act.startswith("charge")}) == 1
    assert other.driver.state(run).phase is Phase.COMPLETED


def test_a_call_that_is_given_up_fails_its_node(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)

    other.resolve(run, CHARGE, "abandon")

    state = other.driver.state(run)
    assert (other.status(run, "book"), other.status(run, CHARGE)) == (CellStatus.FAILED, CellStatus.FAILED)
    assert state.phase is Phase.FAILED
    assert len(SENT) == 1


def test_nobody_decides_about_the_node_while_its_call_is_in_doubt(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)

    with pytest.raises(ConflictError):
        other.resolve(run, "book", "happened", response={"id": "x", "amount": 1})
    with pytest.raises(InputError):
        other.resolve(run, CHARGE, "happened")


def test_a_response_that_its_function_never_returns_fails_the_node(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)
    other.resolve(run, CHARGE, "happened", response="what?")
    other.play()

    (failed,) = [e for e in other.events(run) if e.type == "AttemptFailed"]
    assert from_bytes(failed.body)["error"]["code"] == "NX-E223"
    assert len(SENT) == 1


def test_late_evidence_of_a_worker_that_was_held_for_dead_ends_the_doubt_by_itself(desk: Desk) -> None:
    other = Desk(desk.driver.store, "s2")

    def slow(order: str) -> Receipt:
        SENT.append((f"slow {order}", ""))
        desk.die()
        other.play()
        assert other.status(run, "book") is other.status(run, "book/io.slow") is CellStatus.IN_DOUBT
        return Receipt(id="re_late")

    ACTS.update(book=lambda order, io: io.call(slow, order.number))
    run = desk.start()
    work = desk.begin()
    desk.driver.engine.finish(work, desk.execute(work))
    other.play()

    assert len(SENT) == 1
    assert other.driver.output(run, "book") == b'{"amount":0,"id":"re_late"}'
    assert other.driver.state(run).phase is Phase.COMPLETED


def test_a_provider_that_dedupes_is_sent_the_same_key_again(desk: Desk, monkeypatch: Any) -> None:
    ACTS.update(book=lambda order, io: io.call(charge, order.number, 7, provider=HOUR))
    run = desk.start()
    dies_after(desk, monkeypatch, "record")
    other = Desk(desk.driver.store, "s2")
    other.play()

    assert len(SENT) == 2
    assert len({key for _, key in SENT}) == 1
    assert other.driver.state(run).phase is Phase.COMPLETED


def failing(error: Exception, times: int = 1) -> Any:
    left = [times]

    def send(order: str, *, idempotency_key: str) -> Receipt:
        SENT.append((f"send {order}", idempotency_key))
        if left[0]:
            left[0] -= 1
            raise error
        return Receipt(id="re")

    return send


def test_a_call_that_was_not_sent_is_made_by_the_next_attempt(desk: Desk) -> None:
    send = failing(NotSent("refused"))
    ACTS.update(book=lambda order, io: (io.call(charge, order.number, 7), io.call(send, order.number))[1])
    run = desk.start()
    desk.play()

    assert [act for act, _ in SENT] == ["charge o-1 7", "send o-1", "send o-1"]
    assert desk.driver.state(run).phase is Phase.COMPLETED


@pytest.mark.parametrize("swallow", [False, True], ids=["raised", "swallowed"])
def test_a_call_that_timed_out_is_in_doubt_even_if_the_handler_goes_on(desk: Desk, swallow: bool) -> None:
    send = failing(TimeoutError("no answer"))

    def careless(order: Order, io: IO) -> Receipt:
        try:
            return io.call(send, order.number)
        except TimeoutError:
            if not swallow:
                raise
            return Receipt(id="made up")

    ACTS.update(book=careless)
    run = desk.start()
    desk.play()

    assert len(SENT) == 1
    assert (desk.status(run, "book"), desk.status(run, "book/io.send")) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)


@pytest.mark.parametrize("swallow", [False, True], ids=["raised", "swallowed"])
def test_a_call_that_timed_out_is_sent_again_where_the_provider_dedupes(desk: Desk, swallow: bool) -> None:
    send = failing(TimeoutError("no answer"))

    def careless(order: Order, io: IO) -> Receipt:
        try:
            return io.call(send, order.number, provider=HOUR)
        except TimeoutError:
            if not swallow:
                raise
            return Receipt(id="made up")

    ACTS.update(book=careless)
    run = desk.start()
    desk.play()

    codes = [from_bytes(e.body)["error"]["code"] for e in desk.events(run) if e.type == "AttemptFailed"]
    assert codes == ["NX-E221" if swallow else "NX-R200"]
    assert desk.driver.output(run, "book") == b'{"amount":0,"id":"re"}'
    assert len({key for _, key in SENT}) == 1


def test_a_call_that_times_out_in_every_attempt_ends_in_doubt_and_not_in_failure(desk: Desk) -> None:
    send = failing(TimeoutError("no answer"), times=9)
    ACTS.update(book=lambda order, io: io.call(send, order.number, provider=HOUR))
    run = desk.start()
    desk.play()

    assert len(SENT) == 3
    assert desk.status(run, "book") is CellStatus.IN_DOUBT


def test_other_arguments_than_were_journaled_send_nothing_and_are_not_tried_again(desk: Desk) -> None:
    amounts = iter((7, 8))

    def random(order: Order, io: IO) -> Receipt:
        paid = io.call(charge, order.number, next(amounts))
        if paid.amount == 7 and len(SENT) == 1:
            raise NotSent("later")
        return paid

    ACTS.update(book=random)
    run = desk.start()
    desk.play()

    assert len(SENT) == 1
    codes = [from_bytes(e.body)["error"]["code"] for e in desk.events(run) if e.type == "AttemptFailed"]
    assert codes == ["NX-E101", "NX-E220"]
    assert desk.status(run, "book") is CellStatus.PARKED
    assert desk.driver.state(run).phase is Phase.RUNNING


def test_a_worker_that_lost_its_task_makes_no_call_and_reports_nothing(desk: Desk) -> None:
    ACTS.update(book=twice)
    run = desk.start()
    work = desk.begin()
    desk.die()
    other = Desk(desk.driver.store, "s2")
    mine = other.begin()

    outcome = desk.execute(work)
    desk.driver.engine.finish(work, outcome)
    assert outcome == TakenBack()
    assert SENT == []

    other.driver.engine.finish(mine, other.execute(mine))
    assert other.driver.state(run).cells[work.cell].status is CellStatus.COMPLETED
    assert len(SENT) == 2


def test_a_cancelled_run_waits_for_its_call_in_doubt(desk: Desk, monkeypatch: Any) -> None:
    run, other = held(desk, monkeypatch)
    cancel = encode_mail(CancelRequested("changed my mind"))
    other.driver.store.post(Mail(run, "cancel", "CancelRequested", cancel, priority=-1))
    other.driver.engine.drain(run)
    assert other.driver.state(run).phase is Phase.CLOSING

    other.resolve(run, CHARGE, "happened", response={"id": "re_9", "amount": 5})

    assert other.driver.state(run).phase is Phase.CANCELLED
    assert (other.status(run, "book"), other.status(run, CHARGE)) == (CellStatus.CANCELLED, CellStatus.COMPLETED)


def test_a_handler_that_kills_its_processes_in_a_call_is_held_and_not_failed(desk: Desk, monkeypatch: Any) -> None:
    ACTS.update(book=lambda order, io: io.call(charge, order.number, 7, provider=HOUR))
    run = desk.start()
    dies_after(desk, monkeypatch, "record")
    other = Desk(desk.driver.store, "s2")
    other.begin()
    other.driver.store.end_session("s2", proof="killed")
    other.driver.sweep(poison_after=1)

    assert (other.status(run, "book"), other.status(run, CHARGE)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)


def test_async_calls_with_names_may_be_open_at_once(desk: Desk) -> None:
    async def both(order: Order, io: IO) -> Receipt:
        first, _ = await asyncio.gather(
            io.acall(acharge, order.number, 1, name="one"), io.acall(acharge, order.number, 2, name="two")
        )
        return first

    ACTS.update(abook=both)
    run = desk.start(ASYNC)
    desk.play(ASYNC)

    assert sorted(act for act, _ in SENT) == ["charge o-1 1", "charge o-1 2"]
    assert {path for type_, path in desk.told(run) if type_ == "NodeCompleted"} == {
        "abook",
        "abook/io.one",
        "abook/io.two",
    }
    assert desk.driver.state(run).phase is Phase.COMPLETED


def test_a_claim_whose_answer_was_lost_is_no_doubt(desk: Desk, monkeypatch: Any) -> None:
    ACTS.update(book=twice)
    run = desk.start()
    claim = type(desk.driver.store).claim_call
    cuts = iter([True, True, False, False, True, False])

    def cut(store: Any, call: Any) -> Any:
        answer = claim(store, call)
        if next(cuts):
            raise UnavailableError("server closed the connection", code="NX-S102")
        return answer

    monkeypatch.setattr(type(desk.driver.store), "claim_call", cut)
    desk.play()

    assert len(SENT) == 2
    assert desk.driver.state(run).phase is Phase.COMPLETED
