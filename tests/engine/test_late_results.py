"""Results that come too late: the same act again, or one that was done twice, on every store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from doubtful import LOST, PAY, in_doubt, shop
from engine_driver import Driver
from nexum.client.doubts import Decision, resolve
from nexum.core.graph.policies import Dedupes, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.codec import decode, decode_mail
from nexum.core.run.events import DuplicateEffectSuspected
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Succeeded, Work
from nexum.readouts.metrics import read_metrics
from nexum.readouts.run import read_run
from nexum.store.suspicions import suspicions
from nexum.store.verbs import Verbs
from store_tables import rows_of

HELD = shop()
AGAIN = shop(doubt=Dedupes(ttl=3_600_000_000), retry=RetryPolicy())


def receipt(reference: str, amount: int = 5) -> Succeeded:
    return Succeeded(f'{{"amount":{amount},"id":"{reference}"}}'.encode(), reference=reference)


def zombie(driver: Driver, another: Callable[[str], Driver]) -> tuple[str, Work, Driver]:
    """A run in doubt whose worker was only believed dead, that worker's work, and another worker."""
    run = driver.start(HELD).run_id
    (work,) = driver.claim(HELD)
    driver.store.end_session(driver.session, proof="believed dead")
    heir = another("s2")
    heir.handlers["mail"] = lambda work: "sent"
    heir.sweep()
    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    return run, work, heir


def overtaken(driver: Driver, another: Callable[[str], Driver]) -> tuple[str, Work, Driver, Work]:
    """A run whose worker was only believed dead, and whose effect another worker has claimed since."""
    run = driver.start(AGAIN).run_id
    (work,) = driver.claim(AGAIN)
    driver.store.end_session(driver.session, proof="believed dead")
    heir = another("s2")
    heir.handlers["mail"] = lambda work: "sent"
    heir.sweep()
    (mine,) = heir.claim(AGAIN)
    return run, work, heir, mine


def decided(driver: Driver, run: str, outcome: str, **more: Any) -> None:
    resolve(driver.store, Decision(run, PAY, outcome, "mika", "seen in the console", **more))


def suspected(driver: Driver, run: str) -> list[tuple[str, str]]:
    """What came, and what stands, of the suspicions in a run's events."""
    rows = [row for row in driver.events(run) if row.type == "DuplicateEffectSuspected"]
    bodies = [decode(row.type, PAY, row.body) for row in rows]
    return [(body.reference, body.recorded) for body in bodies if isinstance(body, DuplicateEffectSuspected)]


def kept_late(driver: Driver) -> list[tuple[str, str]]:
    """The same of runs that had ended."""
    rows = rows_of(driver.store, "nexum_late_arrivals")
    bodies = [decode_mail(row["type"], bytes(row["body"])) for row in rows]
    return [(body.reference, body.recorded) for body in bodies if isinstance(body, DuplicateEffectSuspected)]


def test_another_reference_than_the_recorded_one_is_an_alarm_and_stays_as_evidence(
    driver: Driver, another: Callable[[str], Driver], caplog: pytest.LogCaptureFixture
) -> None:
    run, work, _ = zombie(driver, another)
    decided(driver, run, "happened", response={"id": "re_7", "amount": 5})

    with caplog.at_level(logging.ERROR, logger="nexum.engine"):
        driver.engine.finish(work, receipt("re_late"))

    assert suspected(driver, run) == [("re_late", "re_7")]
    assert driver.output(run, "pay") == b'{"amount":5,"id":"re_7"}'
    (evidence,) = rows_of(driver.store, "nexum_effect_evidence")
    assert (evidence["state"], evidence["reference"]) == ("APPLIED", "re_late")
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.getMessage().startswith(f"[NX-E230] pay of run {run} has ended as re_7")
    assert getattr(line, "code", "") == "NX-E230"


def test_the_same_reference_is_the_same_act_whatever_else_the_answer_says(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work, _ = zombie(driver, another)
    decided(driver, run, "happened", response={"id": "re_7", "amount": 5})

    driver.engine.finish(work, receipt("re_7", amount=6))

    assert suspected(driver, run) == []
    assert driver.types(run)[-1] == "Ignored"
    assert len(rows_of(driver.store, "nexum_effect_evidence")) == 1


def test_what_was_given_up_and_was_done_after_all_is_an_alarm_although_the_run_has_ended(
    driver: Driver, another: Callable[[str], Driver], caplog: pytest.LogCaptureFixture
) -> None:
    run, work, _ = zombie(driver, another)
    decided(driver, run, "abandon")
    assert driver.state(run).phase is Phase.FAILED
    before = driver.types(run)

    with caplog.at_level(logging.ERROR, logger="nexum.engine"):
        driver.engine.finish(work, receipt("re_late"))

    assert kept_late(driver) == [("re_late", "")]
    assert driver.types(run) == before
    assert "[NX-E230]" in caplog.text


def test_a_late_result_settles_a_doubt_also_when_the_effect_was_given_out_again_before_it(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work, heir, mine = overtaken(driver, another)
    assert mine.token > work.token
    heir.store.end_session("s2", proof="seen to die")
    third = another("s3")
    for _ in range(8):  # until the sweeper has enough of it
        third.sweep(poison_after=1)
    assert third.state(run).cells[PAY].status is CellStatus.IN_DOUBT

    driver.engine.finish(work, receipt("re_late"))

    assert driver.output(run, "pay") == b'{"amount":5,"id":"re_late"}'
    (row,) = rows_of(driver.store, "nexum_effects")
    assert (row["state"], row["reference"]) == ("APPLIED", "re_late")
    assert suspected(driver, run) == []


def test_two_results_of_two_workers_are_an_alarm_and_the_first_one_stands(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work, heir, mine = overtaken(driver, another)

    driver.engine.finish(work, receipt("re_1"), keep=False)
    heir.engine.finish(mine, receipt("re_2"), keep=False)

    assert heir.output(run, "pay") == b'{"amount":5,"id":"re_1"}'
    assert suspected(heir, run) == [("re_2", "re_1")]
    (row,) = rows_of(heir.store, "nexum_effects")
    assert (row["state"], row["reference"]) == ("APPLIED", "re_1")


def test_one_result_by_two_workers_is_none(driver: Driver, another: Callable[[str], Driver]) -> None:
    run, work, heir, mine = overtaken(driver, another)

    heir.engine.finish(mine, receipt("re_1"), keep=False)
    driver.engine.finish(work, receipt("re_1"), keep=False)

    assert suspected(heir, run) == kept_late(heir) == []
    assert heir.types(run).count("NodeCompleted") == 1


@pytest.mark.parametrize(("amount", "alarms"), [(5, []), (6, [("", "")])])
def test_without_references_the_results_themselves_are_compared(
    driver: Driver, another: Callable[[str], Driver], amount: int, alarms: list[tuple[str, str]]
) -> None:
    run, work, heir, mine = overtaken(driver, another)

    heir.engine.finish(mine, Succeeded(b'{"amount":5,"id":"a"}'), keep=False)
    driver.engine.finish(work, Succeeded(f'{{"amount":{amount},"id":"a"}}'.encode()), keep=False)

    assert suspected(heir, run) == alarms


def test_a_failure_that_comes_too_late_says_nothing(driver: Driver, another: Callable[[str], Driver]) -> None:
    run, work, heir, mine = overtaken(driver, another)
    heir.engine.finish(mine, receipt("re_1"), keep=False)
    before = heir.types(run)

    driver.engine.finish(work, LOST, keep=False)

    assert heir.types(run) == before
    assert [row["state"] for row in rows_of(heir.store, "nexum_effect_evidence")] == ["UNKNOWN"]


def test_pages_metrics_and_lists_show_a_suspicion_and_nothing_else(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work, heir, mine = overtaken(driver, another)
    driver.engine.finish(work, receipt("re_1"), keep=False)
    heir.engine.finish(mine, receipt("re_2"), keep=False)
    quiet = in_doubt(another("s9"), HELD)
    if not isinstance(driver.store, Verbs):  # pages read databases only
        assert suspected(heir, run) == [("re_2", "re_1")]
        return

    (found,) = suspicions(driver.store)
    shown, calm = read_run(driver.store, run, may_read=True), read_run(driver.store, quiet, may_read=True)

    assert (found.run_id, found.recorded, found.reference, found.path) == (run, "re_1", "re_2", "pay")
    assert suspicions(driver.store, run_id=quiet) == suspicions(driver.store, workflow="Other") == []
    assert shown is not None
    assert calm is not None
    assert [(view.node, view.recorded, view.came) for view in shown.suspected] == [("pay", "re_1", "re_2")]
    assert calm.suspected == ()
    (line,) = [line for line in read_metrics(driver.store).splitlines() if line.startswith("effect_duplicates_susp")]
    assert line.endswith(',effect="pay"} 1')


@pytest.mark.parametrize("known", [HELD, AGAIN], ids=["held", "sent again"])
def test_an_answer_that_comes_while_its_end_is_told_is_the_result(direct: Driver, known: Graph) -> None:
    run = direct.start(known).run_id
    (work,) = direct.claim(known)
    direct.handlers["mail"] = lambda work: "sent"
    direct.engine.finish(work, LOST)

    direct.engine.add_evidence(work, receipt("re_1"))
    direct.engine.add_evidence(work, receipt("re_1"))  # whoever heard no answer says it again

    direct.play(known)
    assert direct.output(run, "pay") == b'{"amount":5,"id":"re_1"}'
    assert direct.state(run).phase is Phase.COMPLETED
    assert suspected(direct, run) == []
    (effect,) = [row for row in rows_of(direct.store, "nexum_effects") if row["path"] == "pay"]
    assert effect["reference"] == "re_1"
