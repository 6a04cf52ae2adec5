"""What people do to a node of a run, and what is refused, on every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine_driver import Driver
from graphs import graph, params
from nexum.client.interventions import By, Done, cancel, fail, retry, skip
from nexum.core.graph.nodes import Compute, Effect, Handler, Param
from nexum.core.graph.policies import MINUTE, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error, Ignored, SkipRequested
from nexum.core.run.state import Phase
from nexum.engine.claims import seen_by_claims
from nexum.engine.work import Failed
from nexum.errors import ConflictError, InputError, NexumError
from store_tables import dump

MIKA = By("mika", "the vendor is away")
PAY = Cell("pay")
RECEIPT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
SHORT = {"type": "object", "properties": {"id": {"type": "string", "maxLength": 4}}}
DOWN = Failed(Error("NX-R200", "down", retryable=True))
PARK = RetryPolicy(max_attempts=1, exhausted="park")


def shop(retry_policy: RetryPolicy = PARK) -> Graph:
    pay = Effect(
        id="pay",
        handler=Handler(ref="m:pay"),
        params=params(("input",)),
        output=RECEIPT,
        tool="pay",
        retry=retry_policy,
    )
    mail = Compute(
        id="mail", handler=Handler(ref="m:mail"), output={}, params=(Param(name="pay", source="pay", accepts=SHORT),)
    )
    return graph(pay, mail)


SHOP = shop()
SLOW = shop(RetryPolicy(max_attempts=2, first_wait=MINUTE))


def stuck(driver: Driver, g: Graph = SHOP) -> str:
    """A run whose payment could not be made, and is parked or waits a minute."""
    driver.handlers |= {"pay": lambda work: DOWN, "mail": lambda work: "sent"}
    run = driver.start(g).run_id
    driver.play(g)
    return run


def test_a_parked_node_goes_on_when_it_is_retried(driver: Driver) -> None:
    run = stuck(driver)
    driver.handlers["pay"] = lambda work: {"id": "r1"}

    answer = retry(driver.store, run, PAY, By("mika", ""))
    driver.play(SHOP)

    assert (answer.node_status, answer.run_status) == ("SCHEDULED", "RUNNING")
    assert driver.state(run).phase is Phase.COMPLETED
    assert len({call.key for call in driver.calls if call.node.id == "pay"}) == 1
    request = next(row for row in driver.events(run) if row.type == "RetryRequested")
    assert (request.actor, request.seq) == ("mika", answer.seq)


def test_a_node_that_waits_for_its_time_is_tried_at_once(driver: Driver) -> None:
    run = stuck(driver, SLOW)
    assert driver.claim(SLOW) == []
    driver.handlers["pay"] = lambda work: {"id": "r1"}

    retry(driver.store, run, PAY, MIKA)
    driver.play(SLOW)

    assert driver.state(run).phase is Phase.COMPLETED


@pytest.mark.parametrize("g", [SHOP, SLOW], ids=["parked", "waiting"])
def test_a_value_in_place_of_an_output_is_read_like_one(driver: Driver, g: Graph) -> None:
    run = stuck(driver, g)

    answer = skip(driver.store, run, PAY, MIKA, value={"id": "cash"}, inline_max=driver.inline_max)
    driver.play(g)

    assert answer.node_status == "COMPLETED"
    assert driver.calls[-1].inputs == (("pay", b'{"id":"cash"}'),)
    assert driver.state(run).phase is Phase.COMPLETED


def test_who_skips_without_a_value_skips_what_needs_it(driver: Driver) -> None:
    run = stuck(driver)

    answer = skip(driver.store, run, PAY, MIKA)

    assert (answer.node_status, answer.run_status) == ("SKIPPED", "COMPLETED")
    assert "mail" not in [call.node.id for call in driver.calls]


def test_who_lets_a_node_fail_fails_the_run_with_the_reason(driver: Driver) -> None:
    run = stuck(driver)

    answer = fail(driver.store, run, PAY, MIKA)

    assert (answer.node_status, answer.run_status) == ("FAILED", "FAILED")
    error = driver.state(run).cause_error
    assert error is not None
    assert (error.code, error.message) == ("NX-R213", MIKA.reason)


def test_an_effect_that_nobody_had_claimed_fails_by_hand_at_once(driver: Driver) -> None:
    run = driver.start(SHOP).run_id

    answer = fail(driver.store, run, PAY, MIKA)

    assert answer.run_status == "FAILED"
    assert driver.claim(SHOP) == []


def test_an_effect_that_is_under_way_is_only_asked_to_stop(driver: Driver) -> None:
    run = driver.start(SHOP).run_id
    (work,) = driver.claim(SHOP)

    answer = fail(driver.store, run, PAY, MIKA)
    driver.handlers |= {"pay": lambda work: {"id": "r1"}, "mail": lambda work: "sent"}
    driver.go_on(work)
    driver.play(SHOP)

    assert answer.node_status == "STOPPING"
    assert driver.state(run).phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("value", "told"),
    [({"id": 7}, "$.id"), ({}, "$.id"), ({"id": "too long"}, "read by mail"), (1e400, "$")],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(driver: Driver, value: object, told: str) -> None:
    run = stuck(driver)
    before = dump(driver.store)

    with pytest.raises(InputError) as refused:
        skip(driver.store, run, PAY, MIKA, value=value)

    assert refused.value.code == "NX-R221"
    assert any(told in str(problem) for problem in refused.value.problems)
    assert dump(driver.store) == before


@pytest.mark.parametrize(
    ("by", "field"), [(By("", "r"), "actor"), (By("mika", " "), "reason"), (By("mika", "x" * 2_001), "reason")]
)
def test_a_request_that_says_too_little_is_refused_and_nothing_is_written(driver: Driver, by: By, field: str) -> None:
    run = stuck(driver)
    before = dump(driver.store)

    for act in (skip, fail):
        with pytest.raises(InputError) as refused:
            act(driver.store, run, PAY, by)
        assert (refused.value.code, refused.value.problems[0].path) == ("NX-R220", field)
    with pytest.raises(InputError):
        cancel(driver.store, run, by)
    assert dump(driver.store) == before


def test_a_node_or_a_run_that_is_not_there_is_told_with_what_was_meant(driver: Driver) -> None:
    run = stuck(driver)

    with pytest.raises(NexumError) as nobody:
        retry(driver.store, "0198c2a4-0000-7000-8000-000000000000", PAY, MIKA)
    with pytest.raises(NexumError) as misspelt:
        retry(driver.store, run, Cell("pya"), MIKA)
    with pytest.raises(NexumError) as early:
        retry(driver.store, run, Cell("mail"), MIKA)

    assert nobody.value.code == "NX-R404"
    assert (misspelt.value.code, misspelt.value.fixes[0]) == ("NX-R222", "did you mean `pay`?")
    assert (early.value.code, early.value.message) == ("NX-R222", "the run has not reached mail")


@pytest.mark.parametrize("act", [retry, skip, fail])
def test_a_request_that_no_longer_fits_says_what_happened_instead(driver: Driver, act: Callable[..., Done]) -> None:
    run = stuck(driver)
    skip(driver.store, run, PAY, MIKA, value={"id": "cash"})

    with pytest.raises(ConflictError) as refused:
        act(driver.store, run, PAY, MIKA)

    assert refused.value.code == "NX-R409"
    assert "the cell is COMPLETED" in refused.value.message


def test_an_effect_that_a_worker_took_a_moment_before_is_not_skipped(direct: Driver) -> None:
    run = stuck(direct, SLOW)
    retry(direct.store, run, PAY, MIKA)
    (work,) = direct.claim(SLOW)
    now, state = direct.store.now(), direct.state(run)
    waits = state.cells[PAY]._replace(not_before=now + MINUTE)  # as the core saw it before the worker came
    waiting = state._replace(cells=state.cells.set(PAY, waits))
    request = SkipRequested(PAY, "too late")

    with direct.store.drain(run, wait=True) as held:
        assert held is not None
        seen = seen_by_claims(held, waiting, request, now, lambda _: ())

    assert seen == Ignored("SkipRequested", "an attempt has just begun")
    direct.handlers["pay"] = lambda work: {"id": "r1"}
    direct.go_on(work)
    direct.play(SLOW)
    assert direct.state(run).phase is Phase.COMPLETED
