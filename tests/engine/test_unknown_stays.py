"""That a later attempt was not sent says nothing about an earlier one of which nobody knows, on every store."""

from __future__ import annotations

import pytest

from calldesk import ACTS, Desk, Order, Receipt
from calldesk import HOUR as LIVES
from doubtful import LOST, PAY, shop
from engine_driver import Driver
from nexum.client.doubts import Decision, resolve
from nexum.client.interventions import By, terminate
from nexum.core.graph.policies import Dedupes, RetryPolicy
from nexum.core.run.events import Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed, Work
from nexum.errors import NotSent, RetryAfter
from nexum.sdk.io import IO
from nexum.store.memory import MemoryStore
from store_tables import rows_of

SECOND = 1_000_000
HOUR = 3_600 * SECOND
ORDER = {"order": "o-1"}
KEYED = shop(
    key="input.order",
    doubt=Dedupes(ttl=HOUR),
    retry=RetryPolicy(max_attempts=4, first_wait=0, jitter=0.0),
)


def later(wait: int) -> Failed:
    """Certainly not sent: come back after `wait` microseconds."""
    return Failed(Error("NX-R212", "come back later", "RetryAfter", retryable=True), retry_after=wait)


def answering(driver: Driver, *answers: Failed) -> list[Work]:
    """A provider that answers with these, one after the other, and then does it; gives what it was asked to do."""
    sent: list[Work] = []
    left = iter(answers)

    def pay(work: Work) -> object:
        sent.append(work)
        return next(left, {"id": "re_2", "amount": 1})

    driver.handlers |= {"pay": pay, "mail": lambda work: "sent"}
    return sent


def lost_then_not_sent(driver: Driver, wait: int = HOUR // 2) -> tuple[str, list[Work]]:
    """A run whose first request may have acted, and whose second one was not sent and waits."""
    sent = answering(driver, LOST, later(wait))
    run = driver.start(KEYED, ORDER, "k1").run_id
    driver.play(KEYED)
    assert [work.attempt for work in sent] == [1, 2]
    assert driver.state(run).cells[PAY].doubtful
    return run, sent


def states(driver: Driver) -> list[str]:
    return [str(row["state"]) for row in rows_of(driver.store, "nexum_effects")]


def test_an_effect_stays_unknown_when_a_later_attempt_was_not_sent(driver: Driver) -> None:
    lost_then_not_sent(driver)

    assert states(driver) == ["UNKNOWN"]


def test_another_input_under_a_key_whose_outcome_is_unknown_is_a_conflict(direct: Driver) -> None:
    _, sent = lost_then_not_sent(direct)

    second = direct.start(KEYED, {"order": "o-1", "amount": 7}, "k2").run_id
    direct.play(KEYED)

    error = direct.state(second).cause_error
    assert error is not None
    assert error.code == "NX-E205"
    assert len(sent) == 2


def test_whoever_comes_after_a_terminated_run_inherits_what_is_not_known(direct: Driver) -> None:
    run, sent = lost_then_not_sent(direct)
    terminate(direct.store, run, By("mika", "stop"))

    second = direct.start(KEYED, ORDER, "k2").run_id
    direct.play(KEYED)

    assert direct.state(second).cells[PAY].status is CellStatus.IN_DOUBT
    assert len(sent) == 2


def test_a_claim_that_is_given_back_leaves_the_effect_unknown(direct: Driver) -> None:
    sent = answering(direct, LOST)
    direct.start(KEYED, ORDER, "k1")
    (work,) = direct.claim(KEYED)
    assert direct.engine.finish(work, direct.execute(work), keep=False) is None
    (again,) = direct.claim(KEYED)
    assert again.attempt == 2

    direct.engine.release(again)

    assert (states(direct), len(sent)) == (["UNKNOWN"], 1)


def test_what_a_person_has_ruled_out_is_unknown_no_more(direct: Driver) -> None:
    g = shop(key="input.order", retry=RetryPolicy(max_attempts=4, first_wait=0, jitter=0.0))
    answering(direct, LOST, later(HOUR))
    run = direct.start(g, ORDER, "k1").run_id
    direct.play(g)
    resolve(direct.store, Decision(run, PAY, "did_not_happen", "mika", "nothing in the console"))

    direct.play(g)

    assert not direct.state(run).cells[PAY].doubtful
    assert states(direct) == ["FAILED"]


class Clock:
    """Time that a test moves; each look at it takes ten milliseconds."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        self.now += 10_000
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Driver:
    return Driver(MemoryStore(clock))


def test_a_key_is_not_sent_again_once_its_provider_may_have_forgotten_it(timed: Driver, clock: Clock) -> None:
    run, sent = lost_then_not_sent(timed)

    clock.now += HOUR  # nobody was there when its time came
    timed.play(KEYED)

    assert timed.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    assert len(sent) == 2


def test_a_key_that_is_young_enough_is_sent_again(timed: Driver, clock: Clock) -> None:
    run, sent = lost_then_not_sent(timed)

    clock.now += HOUR // 2
    timed.play(KEYED)

    assert timed.state(run).phase is Phase.COMPLETED
    assert [work.attempt for work in sent] == [1, 2, 3]


@pytest.mark.parametrize("wait", [HOUR, 24 * HOUR])
def test_an_attempt_that_is_to_wait_for_longer_than_its_key_lives_is_in_doubt_at_once(
    timed: Driver, clock: Clock, wait: int
) -> None:
    sent = answering(timed, LOST, later(wait))
    run = timed.start(KEYED, ORDER).run_id

    timed.play(KEYED)

    at = timed.state(run).cells[PAY]
    assert (at.status, at.proof) == (CellStatus.IN_DOUBT, "reported")
    assert at.quiet_from <= clock.now
    assert states(timed) == ["IN_DOUBT"]
    clock.now += wait
    timed.play(KEYED)
    assert len(sent) == 2


@pytest.mark.parametrize(("wait", "at_once"), [(3_600, True), (1_800, False)])
def test_a_call_whose_key_may_be_forgotten_before_the_next_attempt_is_in_doubt(
    timed: Driver, clock: Clock, monkeypatch: pytest.MonkeyPatch, wait: int, at_once: bool
) -> None:
    desk, made = Desk(timed.store, "s2"), []

    def charge(order: str) -> Receipt:
        made.append(order)
        raise [TimeoutError("no answer"), NotSent("refused")][len(made) - 1]

    def act(order: Order, io: IO) -> Receipt:
        try:
            return io.call(charge, order.number, provider=LIVES)
        except NotSent as error:
            raise RetryAfter(wait) from error

    monkeypatch.setitem(ACTS, "book", act)
    run = desk.start()
    desk.play()
    assert (desk.status(run, "book") is CellStatus.IN_DOUBT) == at_once

    clock.now += HOUR
    desk.play()

    assert desk.status(run, "book") is desk.status(run, "book/io.charge") is CellStatus.IN_DOUBT
    assert len(made) == 2
