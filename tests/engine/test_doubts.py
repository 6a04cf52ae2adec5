"""Effects in doubt and the decisions of people about them, on every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doubtful import PAY, SHOP, in_doubt, shop
from engine_driver import Driver
from graphs import compute, graph
from nexum.client.doubts import Decision, Resolved, resolve
from nexum.core.run.codec import decode
from nexum.core.run.events import Cell, DoubtResolved, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.reports import outcome_report, record_of
from nexum.engine.work import Failed, Succeeded, Work
from nexum.errors import ConflictError, InputError, NexumError
from nexum.store.api import Store
from store_tables import dump, rows_of


def decide(driver: Driver, run: str, outcome: str, **more: Any) -> Resolved:
    given = {"actor": "mika", "reason": "the provider's console says so", "cell": PAY, **more}
    return resolve(driver.store, Decision(run, outcome=outcome, **given), inline_max=driver.inline_max)


def happened(driver: Driver, run: str, **more: Any) -> Resolved:
    return decide(driver, run, "happened", **{"response": {"id": "re_7", "amount": 42}, **more})


def effect_row(store: Store) -> dict[str, Any]:
    (row,) = rows_of(store, "nexum_effects")
    return row


def decisions(driver: Driver, run: str) -> list[DoubtResolved]:
    found = [decode(row.type, PAY, row.body) for row in driver.events(run) if row.type == "DoubtResolved"]
    return [body for body in found if isinstance(body, DoubtResolved)]


def test_what_happened_completes_the_node_with_the_response_and_is_never_sent_again(driver: Driver) -> None:
    run = in_doubt(driver)
    key = driver.calls[0].key

    answer = happened(driver, run)
    driver.play(SHOP)

    assert (answer.outcome, answer.key, answer.node_status) == ("happened", key, "COMPLETED")
    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.output(run, "pay") == b'{"amount":42,"id":"re_7"}'
    assert [call.node.id for call in driver.calls] == ["pay", "mail"]
    assert driver.calls[1].inputs == (("pay", b'{"amount":42,"id":"re_7"}'),)
    row = effect_row(driver.store)
    assert (row["state"], row["reference"], row["key"]) == ("APPLIED", "re_7", key)
    assert row["result_hash"]
    (event,) = [each for each in driver.events(run) if each.type == "DoubtResolved"]
    assert (event.actor, event.seq) == ("mika", answer.seq)
    assert decisions(driver, run)[0].evidence == "the provider's console says so"


def test_a_reference_that_is_given_stands_before_the_one_in_the_response(driver: Driver) -> None:
    run = in_doubt(driver)

    happened(driver, run, reference="console-9")

    assert effect_row(driver.store)["reference"] == "console-9"
    assert decisions(driver, run)[0].reference == "console-9"


def test_another_run_with_the_business_key_takes_the_result_that_a_person_recorded(driver: Driver) -> None:
    g = shop(key="input.order")
    first = in_doubt(driver, g, {"order": "o-1"}, "k1")
    second = driver.start(g, {"order": "o-1"}, "k2").run_id
    happened(driver, first)

    driver.play(g)

    assert driver.state(second).phase is Phase.COMPLETED
    assert driver.output(second, "pay") == b'{"amount":42,"id":"re_7"}'
    assert [call.node.id for call in driver.calls].count("pay") == 1


def test_what_did_not_happen_is_sent_again_once_under_the_same_key_and_costs_no_attempt(driver: Driver) -> None:
    run = in_doubt(driver)
    driver.handlers["pay"] = lambda work: Succeeded(b'{"amount":42,"id":"re_8"}', reference="re_8")

    answer = decide(driver, run, "did_not_happen")
    driver.play(SHOP)

    pays = [call for call in driver.calls if call.node.id == "pay"]
    assert answer.node_status == "SCHEDULED"
    assert [call.attempt for call in pays] == [1, 2]  # although the policy allows a single one
    assert len({(call.key, call.input_hash, call.inputs) for call in pays}) == 1
    assert driver.state(run).phase is Phase.COMPLETED
    assert effect_row(driver.store)["state"] == "APPLIED"


def test_an_allowed_attempt_that_was_given_back_unsent_is_still_allowed(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "did_not_happen")
    driver.handlers["pay"] = lambda work: {"id": "re_8", "amount": 42}
    (work,) = driver.claim(SHOP)

    driver.engine.release(work)
    driver.play(SHOP)

    assert driver.state(run).phase is Phase.COMPLETED
    assert len([call for call in driver.calls if call.node.id == "pay"]) == 2


def test_an_allowed_attempt_that_is_lost_again_is_in_doubt_again_and_can_be_decided_again(driver: Driver) -> None:
    run = in_doubt(driver)
    decide(driver, run, "did_not_happen")
    driver.play(SHOP)
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT

    happened(driver, run)
    driver.play(SHOP)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [body.outcome for body in decisions(driver, run)] == ["did_not_happen", "happened"]


def test_what_is_given_up_fails_the_node_and_the_run_and_its_key_is_never_sent(driver: Driver) -> None:
    g = shop(key="input.order")
    run = in_doubt(driver, g, {"order": "o-1"}, "k1")

    answer = decide(driver, run, "abandon", reason="the provider is gone")
    assert effect_row(driver.store)["state"] == "UNKNOWN"
    second = driver.start(g, {"order": "o-1"}, "k2").run_id
    driver.play(g)

    state = driver.state(run)
    assert (answer.node_status, answer.run_status, state.phase) == ("FAILED", "FAILED", Phase.FAILED)
    assert state.cause_error is not None
    assert (state.cause_error.code, state.cause_error.message) == ("NX-E201", "the provider is gone")
    assert driver.state(second).phase is Phase.RUNNING
    assert len(driver.calls) == 1


@pytest.mark.parametrize(
    ("response", "path"),
    [({"id": "re_7"}, "$.amount"), ({"id": 7, "amount": 42}, "$.id"), (None, "$"), ({"id": "x", "amount": 1e400}, "$")],
)
def test_a_response_that_does_not_fit_is_refused_and_nothing_is_written(
    driver: Driver, response: object, path: str
) -> None:
    run = in_doubt(driver)
    before = dump(driver.store)

    with pytest.raises(InputError) as refused:
        happened(driver, run, response=response)

    assert refused.value.code == "NX-E402"
    (problem,) = refused.value.problems
    assert problem.path.startswith(path)
    assert problem.got
    assert problem.wanted
    assert dump(driver.store) == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"actor": ""}, "actor"),
        ({"reason": "a\x00b"}, "reason"),
        ({"outcome": "happened", "response": 1, "reference": "r" * 2_001}, "reference"),
        ({"outcome": "perhaps"}, "outcome"),
        ({"outcome": "abandon", "response": 1}, "response"),
        ({"outcome": "did_not_happen", "reference": "re_1"}, "reference"),
        ({"outcome": "happened"}, "response"),
    ],
)
def test_a_decision_that_is_not_complete_is_refused_and_nothing_is_written(
    direct: Driver, wrong: dict[str, Any], field: str
) -> None:
    run = in_doubt(direct)
    before = dump(direct.store)

    with pytest.raises(InputError) as refused:
        decide(direct, run, **{"outcome": "abandon", **wrong})

    assert (refused.value.code, [problem.path for problem in refused.value.problems]) == ("NX-E401", [field])
    assert dump(direct.store) == before


def test_a_second_decision_is_answered_with_the_first_and_leaves_one_event(driver: Driver) -> None:
    run = in_doubt(driver)
    happened(driver, run)

    with pytest.raises(ConflictError) as refused:
        decide(driver, run, "abandon", actor="juno")

    assert refused.value.code == "NX-E409"
    assert "it is COMPLETED" in refused.value.message
    assert "mika resolved it as happened" in refused.value.message
    assert len(decisions(driver, run)) == 1


class _Slow:
    """A store on which somebody else decides just before our own decision is posted."""

    def __init__(self, store: Store, meanwhile: Callable[[], object]) -> None:
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def post(self, mail: Any) -> bool:
        self._meanwhile()
        return self._store.post(mail)


def test_two_who_decide_at_the_same_moment_make_one_event(driver: Driver) -> None:
    run = in_doubt(driver)
    slow: Any = _Slow(driver.store, lambda: decide(driver, run, "did_not_happen", actor="juno"))

    with pytest.raises(ConflictError, match="juno resolved it as did_not_happen") as refused:
        resolve(slow, Decision(run, PAY, "abandon", "mika", "enough"))

    assert refused.value.code == "NX-E409"
    assert [body.outcome for body in decisions(driver, run)] == ["did_not_happen"]
    assert driver.state(run).cells[PAY].status is CellStatus.SCHEDULED


def zombie(driver: Driver, another: Callable[[str], Driver]) -> tuple[str, Work]:
    """A run in doubt whose worker was only believed dead."""
    run = driver.start(SHOP).run_id
    (work,) = driver.claim(SHOP)
    driver.store.end_session(driver.session, proof="believed dead")
    another("s2").sweep()
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    return run, work


def late_answer(driver: Driver, work: Work) -> None:
    """The zombie records what the provider answered, and does no more."""
    done = Succeeded(b'{"amount":1,"id":"re_late"}', reference="re_late")
    report = outcome_report(
        driver.store, work.task, work.token, done, tenant="default", key=work.key, inline_max=driver.inline_max
    )
    record = record_of(report, session=driver.session, trace="", at=driver.store.now())
    assert driver.store.record(record).recorded


def test_a_late_answer_that_arrives_before_the_decision_wins(driver: Driver, another: Callable[[str], Driver]) -> None:
    run, work = zombie(driver, another)
    late_answer(driver, work)

    with pytest.raises(ConflictError) as refused:
        decide(driver, run, "did_not_happen")

    assert refused.value.code == "NX-E409"
    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.output(run, "pay") == b'{"amount":1,"id":"re_late"}'
    assert effect_row(driver.store)["state"] == "APPLIED"
    assert decisions(driver, run) == []


def test_a_late_answer_is_heard_without_any_decision(driver: Driver, another: Callable[[str], Driver]) -> None:
    run, work = zombie(driver, another)

    driver.engine.finish(work, Succeeded(b'{"amount":1,"id":"re_late"}', reference="re_late"))

    assert driver.state(run).phase is Phase.COMPLETED
    assert effect_row(driver.store)["state"] == "APPLIED"


def test_a_late_answer_is_heard_when_the_next_claim_was_what_put_the_effect_in_doubt(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run = driver.start(SHOP).run_id
    (work,) = driver.claim(SHOP)
    driver.store.end_session(driver.session, proof="believed dead")
    assert driver.store.requeue(work.task, work.token)
    heir = another("s2")
    assert heir.claim(SHOP) == []
    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT

    late_answer(driver, work)
    heir.engine.drain(run)

    assert heir.state(run).phase is Phase.COMPLETED
    assert heir.output(run, "pay") == b'{"amount":1,"id":"re_late"}'


def test_a_late_answer_that_overtakes_the_decision_on_its_way_wins(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work = zombie(driver, another)
    slow: Any = _Slow(driver.store, lambda: late_answer(driver, work))

    with pytest.raises(ConflictError, match="it is COMPLETED"):
        resolve(slow, Decision(run, PAY, "did_not_happen", "mika", "not in the console"))

    assert driver.output(run, "pay") == b'{"amount":1,"id":"re_late"}'
    assert another("s3").claim(SHOP) == []


def test_a_late_answer_after_the_decision_and_before_the_next_attempt_stops_that_attempt(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work = zombie(driver, another)
    decide(driver, run, "did_not_happen")
    late_answer(driver, work)

    heir = another("s3")
    heir.handlers["mail"] = lambda work: "sent"
    heir.play(SHOP)
    heir.engine.drain(run)

    assert [call.node.id for call in heir.calls if call.node.id == "pay"] == []
    assert heir.state(run).phase is Phase.COMPLETED
    assert heir.output(run, "pay") == b'{"amount":1,"id":"re_late"}'


def test_a_late_answer_after_what_happened_is_kept_as_it_came(driver: Driver, another: Callable[[str], Driver]) -> None:
    run, work = zombie(driver, another)
    happened(driver, run)

    done = Succeeded(b'{"amount":1,"id":"re_late"}', reference="re_late")
    assert driver.engine.finish(work, done) is None

    assert driver.output(run, "pay") == b'{"amount":42,"id":"re_7"}'
    (evidence,) = rows_of(driver.store, "nexum_effect_evidence")
    assert evidence["reference"] == "re_late"
    assert effect_row(driver.store)["reference"] == "re_7"


def test_what_was_never_in_doubt_cannot_be_decided(driver: Driver) -> None:
    run = driver.start(SHOP).run_id

    with pytest.raises(ConflictError) as waiting:
        decide(driver, run, "abandon")
    with pytest.raises(NexumError) as no_effect:
        decide(driver, run, "abandon", cell=Cell("mail"))
    with pytest.raises(NexumError) as no_run:
        decide(driver, "0" * 36, "abandon")

    assert (waiting.value.code, no_effect.value.code, no_run.value.code) == ("NX-E409", "NX-E404", "NX-R404")
    assert "it is SCHEDULED" in waiting.value.message
    assert decisions(driver, run) == []


def test_what_did_not_happen_in_a_run_that_is_closing_is_not_sent_and_frees_its_business_key(driver: Driver) -> None:
    pay = shop(key="input.order", priority=-9).nodes[0]
    g = graph(pay, compute("other", "input"), result=("pay",))
    driver.handlers["other"] = lambda work: Failed(Error("NX-R211", "no"))
    run = in_doubt(driver, g, {"order": "o-1"}, "k1")
    assert driver.state(run).phase is Phase.CLOSING

    answer = decide(driver, run, "did_not_happen")

    assert (answer.node_status, answer.run_status) == ("CANCELLED", "FAILED")
    assert effect_row(driver.store)["state"] == "FAILED"
    assert driver.claim(g) == []
