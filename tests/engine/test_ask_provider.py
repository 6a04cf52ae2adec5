"""Somebody has the provider asked now, on every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doubtful import ABSENT, FOUND, PAY, SHOP, UNSURE, asked, in_doubt, provider, serve
from engine_driver import Driver
from nexum.client.asking import Asked, answer_to, ask_provider
from nexum.core.graph.policies import TimeoutPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import NEVER, Cell
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import ConflictError, NexumError, UnavailableError
from nexum.store.shapes import EXPIRED
from store_tables import dump

LATER = asked(settle=900_000_000)


def ask(driver: Driver, run: str) -> Asked:
    return ask_provider(driver.store, run, PAY, actor="mika", reason="a customer calls")


def waiting(driver: Driver, g: Graph = LATER) -> str:
    """A run in doubt whose provider is not asked for a while, and a worker that could ask it."""
    serve(driver, g)
    return in_doubt(driver, g)


def test_what_is_found_before_the_settle_time_completes_the_effect(driver: Driver) -> None:
    run = waiting(driver)
    provider(driver, FOUND)

    asking = ask(driver, run)
    driver.play(LATER)

    answer = answer_to(driver.store, asking)
    assert answer is not None
    assert (answer.answer, answer.node_status, answer.run_status) == ("found", "COMPLETED", "COMPLETED")
    assert driver.state(run).cells[Cell("pay/reconcile.1")].status is CellStatus.CANCELLED
    (event,) = [row for row in driver.events(run) if row.type == "ReconcileRequested"]
    assert event.actor == "mika"


def test_that_nothing_is_found_before_the_settle_time_does_not_count_and_is_asked_again_after_it(
    driver: Driver,
) -> None:
    run = waiting(driver)
    provider(driver, ABSENT)

    first = ask(driver, run)
    driver.play(LATER)
    second = ask(driver, run)
    driver.play(LATER)

    state = driver.state(run)
    assert first.now < first.counts_from == state.cells[PAY].quiet_from + 900_000_000
    assert (first.number, second.number) == (2, 4)
    assert state.cells[PAY].status is CellStatus.IN_DOUBT
    assert state.cells[Cell("pay/reconcile.5")].not_before == first.counts_from
    assert [call.node.id for call in driver.calls].count("pay") == 1


def test_a_sender_that_may_be_alive_for_ever_is_asked_about_when_somebody_wants_it(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = asked(timeouts=TimeoutPolicy(start_to_close=0))
    run = driver.start(g).run_id
    assert driver.claim(g)
    driver.store.end_session(driver.session, proof=f"{EXPIRED}a scheduler watched")
    heir = another("s2")
    heir.sweep()
    serve(heir, g)
    provider(heir, ABSENT)

    asking = ask(heir, run)
    heir.play(g)

    assert asking.counts_from == NEVER
    answer = answer_to(heir.store, asking)
    assert answer is not None
    assert answer.answer == "not_found"
    assert [call.node.id for call in heir.calls] == ["pay/reconcile"]
    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_after_an_answer_that_helped_nobody_it_can_be_asked_again(driver: Driver) -> None:
    g = asked()
    serve(driver, g)
    provider(driver, UNSURE, FOUND)
    run = driver.start(g).run_id
    driver.play(g)
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT

    asking = ask(driver, run)
    driver.play(g)

    assert asking.number == 2
    assert driver.state(run).phase is Phase.COMPLETED


def test_why_it_could_not_tell_is_said(driver: Driver) -> None:
    run = waiting(driver)
    provider(driver, UNSURE)

    asking = ask(driver, run)
    assert answer_to(driver.store, asking) is None
    driver.play(LATER)

    answer = answer_to(driver.store, asking)
    assert answer is not None
    assert (answer.answer, answer.said) == ("cannot_tell", "the list is incomplete")


def test_a_second_request_while_it_is_being_asked_is_the_first_one(driver: Driver) -> None:
    run = waiting(driver)

    first, second = ask(driver, run), ask(driver, run)

    assert first.number == second.number == 2
    assert len([cell for cell in driver.state(run).cells if cell.path.startswith("pay/reconcile")]) == 2


def test_without_a_worker_of_the_version_nobody_asks_and_nothing_is_written(direct: Driver) -> None:
    run = in_doubt(direct, LATER)
    before = dump(direct.store)

    with pytest.raises(UnavailableError) as refused:
        ask(direct, run)

    assert refused.value.code == "NX-W203"
    assert refused.value.fixes[0].startswith("nexum worker --workflow W --version ")
    assert dump(direct.store) == before


def test_what_is_not_in_doubt_or_has_nobody_to_ask_is_refused(direct: Driver) -> None:
    serve(direct, SHOP)
    held = in_doubt(direct)
    open_run = direct.start(LATER).run_id

    with pytest.raises(ConflictError) as nobody:
        ask(direct, held)
    with pytest.raises(ConflictError) as open_one:
        ask(direct, open_run)
    with pytest.raises(NexumError) as no_effect:
        ask_provider(direct.store, held, Cell("mail"), actor="mika", reason="")

    assert (nobody.value.code, open_one.value.code, no_effect.value.code) == ("NX-E211", "NX-E409", "NX-E404")
