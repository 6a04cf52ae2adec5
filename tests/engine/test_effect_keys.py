"""The key of an effect: made once, when the visit is scheduled, and the same for whatever comes after; on every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doubtful import FOUND, PAY, asked, provider, shop
from engine_driver import Driver
from graphs import compute, graph, params
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import Dedupes, RetryPolicy
from nexum.core.run.events import Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed
from store_tables import rows_of

PATIENT = RetryPolicy(max_attempts=4, first_wait=0, jitter=0.0)
NOT_SENT = Failed(Error("NX-E101", "refused", retryable=True))


@pytest.mark.parametrize(("given", "why"), [({"order": None}, "no business key"), ({}, "no business key")])
def test_a_key_that_is_null_or_unknown_skips_the_effect_and_says_so(
    driver: Driver, given: dict[str, object], why: str
) -> None:
    g = graph(
        compute("first", "input"),
        Effect(
            id="pay", handler=Handler(ref="m:pay"), output={}, params=params(("first",)), tool="pay", key="input.order"
        ),
        result=("first",),
    )
    driver.handlers["first"] = lambda work: 1

    run = driver.start(g, given).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.state(run).cells[PAY].status is CellStatus.SKIPPED
    (row,) = [row for row in driver.events(run) if row.type == "NodeSkipped"]
    assert why.encode() in row.body
    assert rows_of(driver.store, "nexum_effects") == []


def test_every_attempt_and_every_process_sends_the_same_key_and_the_same_bytes(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = shop(key="input.order", retry=PATIENT, doubt=Dedupes(ttl=3_600_000_000))
    answers = iter([NOT_SENT, NOT_SENT])
    driver.handlers["pay"] = lambda work: next(answers)
    run = driver.start(g, {"order": "o-1"}).run_id
    for _ in range(2):
        (work,) = driver.claim(g)
        driver.engine.finish(work, driver.execute(work), keep=False)
    (lost,) = driver.claim(g)
    driver.store.end_session(driver.session, proof="seen to die")
    heir = another("s2")
    heir.sweep()
    heir.handlers |= {"pay": lambda work: {"id": "re_1", "amount": 2}, "mail": lambda work: "sent"}

    heir.play(g)

    sent = [*driver.calls, lost, *[call for call in heir.calls if call.node.id == "pay"]]
    assert len(sent) == 4
    assert len({(work.key, work.input_hash, work.inputs) for work in sent}) == 1
    assert heir.state(run).phase is Phase.COMPLETED


@pytest.mark.parametrize("state", ["claimed", "recorded", "in doubt"])
def test_a_key_with_another_input_is_an_error_and_never_a_send(driver: Driver, state: str) -> None:
    g = shop(key="input.order")
    driver.start(g, {"order": "o-1", "amount": 1}, "k1")
    (first,) = driver.claim(g)
    if state == "recorded":
        driver.handlers["mail"] = lambda work: "sent"
        driver.handlers["pay"] = lambda work: {"id": "re_1", "amount": 1}
        driver.go_on(first)
    if state == "in doubt":
        driver.engine.finish(first, Failed(Error("NX-E201", "reset"), sent="unknown"))
    sent = len(driver.calls)

    second = driver.start(g, {"order": "o-1", "amount": 2}, "k2").run_id
    driver.play(g)

    error = driver.state(second).cause_error
    assert error is not None
    assert error.code == "NX-E205"
    assert [call.node.id for call in driver.calls[sent:]] == []


def test_a_key_that_is_free_again_may_be_used_with_another_input(driver: Driver) -> None:
    g = shop(key="input.order")
    driver.start(g, {"order": "o-1", "amount": 1}, "k1")
    (first,) = driver.claim(g)
    driver.engine.finish(first, Failed(Error("NX-R210", "declined")))
    driver.handlers |= {"pay": lambda work: {"id": "re_2", "amount": 2}, "mail": lambda work: "sent"}

    second = driver.start(g, {"order": "o-1", "amount": 2}, "k2").run_id
    driver.play(g)

    assert driver.state(second).phase is Phase.COMPLETED
    (row,) = rows_of(driver.store, "nexum_effects")
    assert (row["run_id"], row["state"], row["input_hash"]) == (second, "APPLIED", driver.calls[0].input_hash)


def test_the_provider_is_asked_about_the_business_key_that_was_sent(driver: Driver) -> None:
    g = asked(key="input.order")
    provider(driver, FOUND)

    driver.start(g, {"order": "o-1"})
    driver.play(g)

    pay, find, _ = driver.calls
    (row,) = rows_of(driver.store, "nexum_effects")
    assert pay.key == find.key == row["key"]
    assert row["business_key"] == "o-1"
