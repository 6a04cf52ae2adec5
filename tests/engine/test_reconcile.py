"""An effect in doubt whose provider is asked, on every store."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from doubtful import ABSENT, FOUND, PAY, UNSURE, asked, in_doubt, provider
from engine_driver import Driver
from nexum.client.doubts import Decision, resolve
from nexum.core.graph.policies import Dedupes, RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.asking import counts_from
from nexum.core.run.codec import decode, encode_mail
from nexum.core.run.events import NEVER, CancelRequested, Cell, DoubtResolved, EffectInDoubt, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed, Succeeded, Work
from nexum.store.api import Mail
from nexum.store.shapes import EXPIRED
from store_tables import rows_of

FIRST = Cell("pay/reconcile.1")


def names(calls: list[Work]) -> list[str]:
    return [call.node.id for call in calls]


def test_what_is_found_completes_the_effect_and_nothing_is_sent_again(driver: Driver) -> None:
    g = asked()
    provider(driver, FOUND)

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    pay, find, mail = driver.calls
    assert (find.key, find.inputs) == (pay.key, pay.inputs)
    assert mail.inputs == (("pay", b'{"amount":42,"id":"re_3"}'),)
    (row,) = rows_of(driver.store, "nexum_effects")
    assert (row["state"], row["reference"], row["key"]) == ("APPLIED", "re_3", pay.key)
    assert bytes(row["result"]) == (b"" if driver.inline_max == 0 else b'{"amount":42,"id":"re_3"}')
    (decided,) = [event for event in driver.events(run) if event.type == "DoubtResolved"]
    assert decided.dedupe == ""


def test_two_answers_that_nothing_was_found_send_the_same_key_again_once(driver: Driver) -> None:
    g = asked()
    provider(driver, ABSENT)

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert names(driver.calls) == ["pay", "pay/reconcile", "pay/reconcile", "pay", "mail"]
    assert len({call.key for call in driver.calls[:4]}) == 1
    assert driver.output(run, "pay") == b'{"amount":9,"id":"re_9"}'


def test_nobody_asks_before_the_settle_time_has_passed(driver: Driver) -> None:
    g = asked(settle=900_000_000)

    run = in_doubt(driver, g)

    state = driver.state(run)
    assert state.cells[FIRST].not_before == state.cells[PAY].quiet_from + 900_000_000
    assert driver.claim(g) == []
    assert names(driver.calls) == ["pay"]


def test_nobody_asks_a_second_time_before_the_gap_has_passed(driver: Driver) -> None:
    g = asked(gap=900_000_000)
    provider(driver, ABSENT)

    run = driver.start(g).run_id
    driver.play(g)

    state = driver.state(run)
    assert names(driver.calls) == ["pay", "pay/reconcile"]
    assert state.cells[Cell("pay/reconcile.2")].not_before == state.cells[FIRST].answered_at + 900_000_000
    assert state.cells[PAY].status is CellStatus.IN_DOUBT


@pytest.mark.parametrize(
    "answer",
    [UNSURE, Failed(Error("NX-R200", "boom")), Failed(Error("NX-R201", "a lie")), Failed(Error("NX-R202", "hung"))],
)
def test_whoever_cannot_tell_leaves_the_effect_to_a_person(driver: Driver, answer: Succeeded | Failed) -> None:
    g = asked()
    provider(driver, answer)

    run = driver.start(g).run_id
    driver.play(g)

    state = driver.state(run)
    assert state.cells[PAY].status is CellStatus.IN_DOUBT
    assert state.cells[FIRST].status.is_terminal
    assert names(driver.calls) == ["pay", "pay/reconcile"]
    resolve(driver.store, Decision(run, PAY, "happened", "mika", "seen", response={"id": "x", "amount": 2}))
    driver.play(g)
    assert driver.state(run).phase is Phase.COMPLETED


def test_an_asking_that_fails_is_tried_again_as_its_own_policy_says(driver: Driver) -> None:
    g = asked(retry=RetryPolicy(max_attempts=3, first_wait=0, jitter=0.0))
    broken = Failed(Error("NX-R200", "boom", retryable=True))
    provider(driver, broken, broken, FOUND)

    run = driver.start(g).run_id
    driver.play(g)

    assert [call.attempt for call in driver.calls if call.node.id == "pay/reconcile"] == [1, 2, 3]
    assert driver.state(run).phase is Phase.COMPLETED


def test_a_person_who_is_faster_makes_the_asking_needless(driver: Driver) -> None:
    g = asked(settle=900_000_000)
    run = in_doubt(driver, g)

    resolve(driver.store, Decision(run, PAY, "happened", "mika", "seen", response={"id": "x", "amount": 2}))
    driver.play(g)

    assert driver.state(run).cells[FIRST].status is CellStatus.CANCELLED
    assert driver.state(run).phase is Phase.COMPLETED
    assert rows_of(driver.store, "nexum_tasks") == []


def test_an_answer_that_comes_after_the_decision_changes_nothing(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = asked()
    provider(driver, ABSENT)
    run = driver.start(g).run_id
    (pay,) = driver.claim(g)
    driver.engine.finish(pay, driver.execute(pay), keep=False)
    (find,) = driver.claim(g)
    resolve(driver.store, Decision(run, PAY, "happened", "mika", "seen", response={"id": "x", "amount": 2}))

    driver.engine.finish(find, ABSENT)

    heir = another("s2")
    heir.handlers["mail"] = lambda work: "sent"
    heir.play(g)
    assert heir.output(run, "pay") == b'{"amount":2,"id":"x"}'
    assert heir.state(run).phase is Phase.COMPLETED


def test_a_run_that_closes_goes_on_asking_and_ends_when_it_knows(driver: Driver) -> None:
    g = asked()
    provider(driver, ABSENT)
    run = driver.start(g).run_id
    (pay,) = driver.claim(g)
    driver.engine.finish(pay, driver.execute(pay), keep=False)
    cancel = CancelRequested("enough")
    driver.store.post(Mail(run, "cancel", "CancelRequested", encode_mail(cancel), priority=-1))
    driver.engine.drain(run)
    assert driver.state(run).phase is Phase.CLOSING

    driver.play(g)

    assert driver.state(run).phase is Phase.CANCELLED
    assert names(driver.calls) == ["pay", "pay/reconcile", "pay/reconcile"]
    (row,) = rows_of(driver.store, "nexum_effects")
    assert row["state"] == "FAILED"


def doubt_of(driver: Driver, run: str) -> EffectInDoubt:
    (row,) = [event for event in driver.events(run) if event.type == "EffectInDoubt"]
    body = decode(row.type, PAY, row.body)
    assert isinstance(body, EffectInDoubt)
    return body


def died(driver: Driver, another: Callable[[str], Driver], g: Graph, proof: str) -> tuple[str, int]:
    """A run whose sender's session has ended with this proof; and when it was claimed."""
    run = driver.start(g).run_id
    assert driver.claim(g)
    (task,) = rows_of(driver.store, "nexum_tasks")
    driver.store.end_session(driver.session, proof=proof)
    another("s2").sweep()
    return run, int(task["claimed_at"])


def test_a_proven_death_starts_the_settle_time_when_the_session_ended(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, _ = died(driver, another, asked(settle=5), "parent 1 saw child 2 die of SIGKILL")

    (session,) = [row for row in rows_of(driver.store, "nexum_sessions") if row["session"] == "s1"]
    doubt = doubt_of(driver, run)
    assert (doubt.proof, doubt.quiet_from) == ("ended", session["ended_at"])
    assert driver.state(run).cells[FIRST].not_before == session["ended_at"] + 5


def test_a_lease_that_ran_out_proves_nothing_before_the_time_limit_of_the_attempt_is_over(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = asked(settle=5)
    run, claimed_at = died(driver, another, g, f"{EXPIRED}a scheduler watched")

    doubt = doubt_of(driver, run)
    assert doubt.proof == "expired"
    assert doubt.quiet_from > claimed_at + g["pay"].timeouts.start_to_close
    assert driver.state(run).cells[FIRST].not_before == doubt.quiet_from + 5


@pytest.mark.parametrize("limits", [TimeoutPolicy(), TimeoutPolicy(start_to_close=0)])
def test_a_proof_that_arrives_later_starts_the_settle_time_then(
    driver: Driver, another: Callable[[str], Driver], limits: TimeoutPolicy
) -> None:
    run, _ = died(driver, another, asked(settle=5, timeouts=limits), f"{EXPIRED}a scheduler watched")

    driver.store.end_session(driver.session, proof="parent 1 saw child 2 die of SIGKILL")
    heir = another("s3")
    heir.sweep()
    heir.sweep()

    state = heir.state(run)
    (session,) = [row for row in rows_of(driver.store, "nexum_sessions") if row["session"] == "s1"]
    assert state.cells[PAY].quiet_from == session["ended_at"]
    open_ones = [at for cell, at in state.cells.items() if "reconcile" in cell.path and not at.status.is_terminal]
    assert [at.not_before for at in open_ones] == [session["ended_at"] + 5]
    assert heir.types(run).count("SenderEnded") == 1


def test_without_a_time_limit_a_lease_that_ran_out_never_proves_anything(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = asked(settle=5, timeouts=TimeoutPolicy(start_to_close=0))
    run, _ = died(driver, another, g, f"{EXPIRED}a scheduler watched")

    at = driver.state(run).cells[PAY]
    how = g["pay"].reconcile  # type: ignore[union-attr]
    assert at.quiet_from == counts_from(how, at) == NEVER
    assert FIRST not in driver.state(run).cells
    assert at.status is CellStatus.IN_DOUBT


def test_a_second_doubt_is_asked_about_anew(driver: Driver) -> None:
    g = asked()
    provider(driver, ABSENT, ABSENT, ABSENT, FOUND, lost=2)

    run = driver.start(g).run_id
    driver.play(g)

    decided = [decode(row.type, PAY, row.body) for row in driver.events(run) if row.type == "DoubtResolved"]
    assert [body.outcome for body in decided if isinstance(body, DoubtResolved)] == ["did_not_happen", "happened"]
    assert len([call for call in driver.calls if call.node.id == "pay"]) == 2
    assert driver.state(run).phase is Phase.COMPLETED


ACTED = Failed(Error("NX-R201", "pay returned int 7"), sent="yes")


def test_what_returned_something_that_cannot_be_recorded_is_found_at_its_provider(driver: Driver) -> None:
    g = asked()
    provider(driver, FOUND)
    driver.handlers["pay"] = lambda work: ACTED

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert doubt_of(driver, run).proof == "acted"
    assert names(driver.calls) == ["pay", "pay/reconcile", "mail"]


def test_what_returned_something_is_never_sent_again_whatever_its_provider_says(driver: Driver) -> None:
    g = asked(doubt=Dedupes(ttl=3_600_000_000), retry=RetryPolicy())
    provider(driver, ABSENT)
    driver.handlers["pay"] = lambda work: ACTED

    run = driver.start(g).run_id
    driver.play(g)

    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    assert names(driver.calls) == ["pay", "pay/reconcile"]


def test_effects_that_come_into_doubt_together_are_asked_about_one_after_the_other(
    direct: Driver, another: Callable[[str], Driver], caplog: pytest.LogCaptureFixture
) -> None:
    g = asked(settle=60_000_000, gap=60_000_000)
    runs = [direct.start(g).run_id for _ in range(20)]
    assert len(direct.claim(g, 20)) == 20
    direct.store.end_session(direct.session, proof="seen to die")

    with caplog.at_level(logging.ERROR, logger="nexum.sweep"):
        another("s2").sweep()

    states = [direct.state(run) for run in runs]
    waits = [state.cells[FIRST].not_before - state.cells[PAY].quiet_from for state in states]
    assert len(set(waits)) > 15
    assert all(60_000_000 <= wait < 120_000_000 for wait in waits)
    assert "[NX-E231] 20 effects came into doubt in one sweep" in caplog.text
