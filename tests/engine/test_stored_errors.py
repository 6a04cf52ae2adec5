"""A provider that stores its errors under the key: sending again only repeats them. On every store."""

from __future__ import annotations

import pytest

from doubtful import ABSENT, FOUND, PAY, asked, provider, shop
from engine_driver import Driver
from nexum.core.graph.policies import Dedupes, RetryPolicy
from nexum.core.run.codec import decode
from nexum.core.run.events import EffectInDoubt, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed

HOUR = 3_600_000_000
STRIPE = {"doubt": Dedupes(ttl=HOUR, stored_errors=True)}
PATIENT = RetryPolicy(max_attempts=3, first_wait=0, jitter=0.0)


def answered(status: int) -> Failed:
    return Failed(Error("NX-R200", f"status {status}", retryable=True), sent="unknown", status=status)


def test_a_stored_error_is_not_sent_again_although_the_key_is_young(driver: Driver) -> None:
    g = shop(**{**STRIPE, "retry": PATIENT})
    driver.handlers["pay"] = lambda work: answered(500)

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    assert len(driver.calls) == 1


@pytest.mark.parametrize(
    ("doubt", "status"),
    [
        (Dedupes(ttl=HOUR), 500),
        (Dedupes(ttl=HOUR, stored_errors=True), 0),
        (Dedupes(ttl=HOUR, stored_errors=True), 429),
    ],
)
def test_every_other_unknown_outcome_is_sent_again_under_the_young_key(
    driver: Driver, doubt: Dedupes, status: int
) -> None:
    g = shop(doubt=doubt, retry=PATIENT)
    answers = iter([answered(status)])
    driver.handlers |= {"pay": lambda work: next(answers, {"id": "re_1", "amount": 2}), "mail": lambda work: "sent"}

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [(call.node.id, call.attempt) for call in driver.calls] == [("pay", 1), ("pay", 2), ("mail", 1)]


def test_what_stands_behind_a_stored_error_is_asked_for(driver: Driver) -> None:
    g = asked(**STRIPE)
    provider(driver, FOUND)
    driver.handlers["pay"] = lambda work: answered(502)

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [call.node.id for call in driver.calls] == ["pay", "pay/reconcile", "mail"]


def test_an_error_that_is_repeated_after_nothing_was_found_is_held_instead_of_asked_for_ever(driver: Driver) -> None:
    g = asked(**STRIPE)
    provider(driver, ABSENT)
    driver.handlers["pay"] = lambda work: answered(500)

    run = driver.start(g).run_id
    driver.play(g)

    assert [call.node.id for call in driver.calls] == ["pay", "pay/reconcile", "pay/reconcile", "pay"]
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    doubts = [decode(row.type, PAY, row.body) for row in driver.events(run) if row.type == "EffectInDoubt"]
    assert [body.proof for body in doubts if isinstance(body, EffectInDoubt)] == ["reported", "stored"]
