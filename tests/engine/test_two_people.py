"""Decisions that need two people, on every store: the first one waits in the run, the second one counts."""

from __future__ import annotations

from typing import Any

import pytest

from doubtful import PAY, SHOP, in_doubt, provider
from engine_driver import Driver
from nexum.client.doubts import Decision, Resolved, resolve
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import DoubtResolved
from nexum.core.run.state import CellStatus
from nexum.engine.work import Succeeded
from nexum.errors import ConflictError, InputError
from nexum.store.api import Mail

RESPONSE = {"id": "re_3", "amount": 42}


def decide(driver: Driver, run: str, actor: str, outcome: str = "happened", **more: Any) -> Resolved:
    if outcome == "happened" and "response" not in more and "confirms" not in more:
        more["response"] = RESPONSE
    return resolve(driver.store, Decision(run, PAY, outcome, actor, f"{actor} looked", **more), four_eyes=("pay",))


def test_one_decision_waits_and_a_second_one_counts(driver: Driver) -> None:
    run = in_doubt(driver)

    first = decide(driver, run, "mika")
    waiting = driver.state(run).cells[PAY]
    second = resolve(driver.store, Decision(run, PAY, "happened", "ken", "seen too"), four_eyes=("*",))
    driver.play(SHOP)

    assert (first.pending, first.node_status) == (True, "IN_DOUBT")
    assert waiting.proposed is not None
    assert (waiting.proposed.by, waiting.proposed.reference) == ("mika", "re_3")
    assert (second.pending, second.node_status) == (False, "COMPLETED")
    assert driver.output(run, "pay") == b'{"amount":42,"id":"re_3"}'
    actors = [row.actor for row in driver.events(run) if row.type in ("DoubtProposed", "DoubtResolved")]
    assert actors == ["mika", "ken"]


def test_the_second_person_is_another_one(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "mika", "abandon")

    with pytest.raises(ConflictError, match="somebody else must decide the same") as error:
        decide(driver, run, "mika", "abandon")

    assert error.value.code == "NX-E411"
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_another_opinion_takes_the_place_of_the_first_and_needs_a_second_person_too(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "mika", "abandon")

    other = decide(driver, run, "ken", "did_not_happen")
    agreed = decide(driver, run, "mika", "did_not_happen")

    assert (other.pending, agreed.pending) == (True, False)
    assert driver.state(run).cells[PAY].status is CellStatus.SCHEDULED


def test_a_response_that_differs_confirms_nothing(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "mika")

    second = decide(driver, run, "ken", response={"id": "re_3", "amount": 43})

    assert second.pending
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_who_confirms_what_has_changed_since_is_told(driver: Driver) -> None:
    run = in_doubt(driver)
    read = decide(driver, run, "mika", "abandon").seq
    decide(driver, run, "ken", "did_not_happen")

    with pytest.raises(ConflictError, match="ken has decided did_not_happen") as error:
        decide(driver, run, "aiko", "abandon", confirms=read)

    assert error.value.code == "NX-E412"
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_a_confirmation_that_arrives_behind_another_opinion_is_ignored_by_the_run_itself(driver: Driver) -> None:
    run = in_doubt(driver)
    read = decide(driver, run, "mika", "abandon").seq
    decide(driver, run, "ken", "did_not_happen")

    late = DoubtResolved(PAY, "abandon", evidence="aiko looked", confirms=read)
    driver.store.post(Mail(run, "late", "DoubtResolved", encode_mail(late), actor="aiko"))
    driver.engine.drain(run)

    assert driver.types(run)[-1] == "Ignored"
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_the_first_person_says_what_the_response_was(driver: Driver) -> None:
    run = in_doubt(driver)

    with pytest.raises(InputError) as error:
        resolve(driver.store, Decision(run, PAY, "happened", "mika", "seen"), four_eyes=("pay",))

    assert error.value.code == "NX-E401"


def test_tools_that_are_not_named_need_one_person(driver: Driver) -> None:
    run = in_doubt(driver)

    done = resolve(driver.store, Decision(run, PAY, "abandon", "mika", "looked"), four_eyes=("bank.payout",))

    assert (done.pending, done.node_status) == (False, "FAILED")


def test_what_waited_about_an_earlier_attempt_waits_no_more(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "mika", "abandon")
    resolve(driver.store, Decision(run, PAY, "did_not_happen", "ken", "the rule was lifted"))
    driver.play(SHOP)
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT

    again = decide(driver, run, "ken", "abandon")

    assert again.pending
    assert driver.state(run).cells[PAY].attempt == 2


def test_a_late_result_ends_what_waits_for_a_second_person(driver: Driver) -> None:
    provider(driver, Succeeded(b"null", answer="not_found"))
    run = driver.start(SHOP).run_id
    (work,) = driver.claim(SHOP)
    driver.store.end_session(driver.session, proof="believed dead")
    driver.sweep()
    decide(driver, run, "mika", "abandon")

    driver.engine.finish(work, Succeeded(b'{"amount":5,"id":"re_late"}', reference="re_late"))

    with pytest.raises(ConflictError) as error:
        decide(driver, run, "ken", "abandon")
    assert error.value.code == "NX-E409"
    assert driver.output(run, "pay") == b'{"amount":5,"id":"re_late"}'


def test_a_decision_about_a_run_that_has_gone_on_is_refused(driver: Driver) -> None:
    run = in_doubt(driver)
    seen = driver.state(run).seq
    decide(driver, run, "mika", "abandon", last_seq=seen)

    with pytest.raises(ConflictError, match="the run has gone on") as error:
        decide(driver, run, "ken", "abandon", last_seq=seen)

    assert error.value.code == "NX-R409"
