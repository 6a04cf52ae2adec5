"""The judge of the demo must find every way in which a ledger can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from examples.refund_agent import agents
from examples.refund_agent.cases import HERE, Case, cases, judge
from examples.refund_agent.celery_side import state_lines


def ledger_of(wanted: tuple[Case, ...]) -> list[dict[str, Any]]:
    """A ledger as it must be."""
    acts: list[dict[str, Any]] = []
    refs: dict[str, str] = {}
    for case in wanted:
        if case.refund and case.order not in refs:
            refs[case.order] = f"re_{len(refs) + 1}"
            acts.append(act("refund", refs[case.order], order_id=case.order, amount=case.refund))
    for n, case in enumerate(wanted):
        if case.mail:
            said = f"order {case.order} ({refs[case.order]})." if case.refund else f"order {case.order}: no."
            acts.append(act("mail", f"ml_{n}", to=case.claim["email"], subject=case.mail, body=said))
    return acts


def act(kind: str, ref: str, **body: Any) -> dict[str, Any]:
    return {"act": kind, "id": ref, "body": body}


def test_there_are_at_least_ten_claims_and_each_has_an_expectation() -> None:
    assert len(cases()) >= 10
    assert {case.status for case in cases()} == {"refunded", "declined", "needs_review"}


def test_a_ledger_as_it_must_be_has_no_problems() -> None:
    judgement = judge(ledger_of(cases()), cases())

    assert judgement.problems == ()
    assert (judgement.refunds, judgement.mails) == (judgement.refunds_wanted, judgement.mails_wanted) == (6, 9)


def test_two_claims_for_one_order_are_one_refund_and_two_mails() -> None:
    same = [case for case in cases() if case.order == "1042"]
    assert len(same) == 2
    judgement = judge(ledger_of(tuple(same)), same)
    assert (judgement.refunds_wanted, judgement.mails_wanted, judgement.problems) == (1, 2, ())


@pytest.mark.parametrize("place", range(15))
def test_an_act_that_is_missing_or_made_twice_is_found(place: int) -> None:
    ledger = ledger_of(cases())

    assert len(ledger) == 15
    assert judge(ledger[:place] + ledger[place + 1 :], cases()).problems
    assert judge([*ledger, ledger[place]], cases()).problems


def test_a_refund_of_another_amount_or_order_is_found() -> None:
    ledger = ledger_of(cases())
    wrong = act("refund", "re_1", order_id="1042", amount=1)
    other = act("refund", "re_9", order_id="1046", amount=90000)

    assert len(judge([wrong, *ledger[1:]], cases()).problems) == 2
    assert judge([*ledger, other], cases()).problems == ("refund too many: 1046, 90000 (x1)",)


def test_a_mail_that_speaks_of_a_refund_that_was_not_made_is_found() -> None:
    ledger = ledger_of(cases())
    ledger[-1]["body"]["body"] = "order 1051 (re_77)."

    assert judge(ledger, cases()).problems == (f"mail {ledger[-1]['id']} speaks of a refund that was not made",)


@pytest.mark.parametrize(
    ("refund", "score", "age", "amount", "decision"),
    [
        (True, 90, 5, 4200, "refund"),
        (True, 60, 30, 200_00, "refund"),
        (True, 59, 5, 4200, "review"),
        (False, 59, 5, 4200, "review"),
        (False, 90, 5, 4200, "decline"),
        (True, 100, 31, 4200, "decline"),
        (True, 100, 5, 200_01, "review"),
        (True, 100, 31, 200_01, "decline"),
    ],
)
def test_the_rules_decide_and_the_opinion_is_one_input(
    refund: bool, score: int, age: int, amount: int, decision: str
) -> None:
    purchase = agents.Purchase(
        order_id="1", item="lamp", amount=amount, currency="EUR", age_days=age, window_days=30, policy=""
    )
    verdict = agents.Verdict(refund=refund, score=score, reason="so it is")

    assert agents.route(purchase, verdict).decision == decision


def test_the_agent_compiles_without_a_warning() -> None:
    assert agents.refund_agent.warnings == ()
    assert agents.refund_agent.graph.result == ("outcome",)


def test_the_agent_has_no_lines_of_state_handling_and_the_chain_has_some() -> None:
    assert state_lines(HERE / "agents.py") == 0
    assert state_lines(HERE / "celery_chain.py") > 20
