"""Conditions against the schemas of what they name."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from nexum.core.expr import Checked, check, parse


class Label(Enum):
    REFUND = "refund"
    PARTIAL = "partial"


class Money(BaseModel):
    amount: float
    currency: Literal["EUR", "JPY"] = "EUR"


class Verdict(BaseModel):
    score: int
    label: Label
    eligible: bool
    reason: str | None = None
    price: Money | None = None
    lines: list[Money] = []
    rates: dict[str, float] = {}
    parent: Verdict | None = None
    either: int | str = 0


class Approval(BaseModel):
    approved: bool
    by: str


ROOTS: dict[str, dict[str, Any]] = {
    "verdict": TypeAdapter(Verdict).json_schema(),
    "approve": TypeAdapter(Approval).json_schema(),
    "input": TypeAdapter(Money).json_schema(),
    "item": {},
}


def checked(text: str, absent: str = "") -> Checked:
    return check(parse(text), ROOTS, absent=frozenset(absent.split()))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("verdict.score >= 80 && verdict.label in ['refund', 'partial']", "boolean"),
        ("verdict.score > 0.5", "boolean"),
        ("verdict.reason == null || size(verdict.reason) > 3", "boolean"),
        ("verdict.reason.startsWith('a')", "boolean"),
        ("verdict.price.amount > 1", "boolean"),
        ("verdict.parent.parent.price.currency != 'EUR'", "boolean"),
        ("verdict.lines[0].amount + 1", "number"),
        ("'EUR' in verdict.rates && verdict.rates.EUR < 2", "boolean"),
        ("verdict.either == 'a' || verdict.either > 3", "boolean"),
        ("item.anything.at.all == 3 && item", "boolean"),
        ("verdict.score * 2", "integer"),
        ("verdict.score / 2", "integer"),
        ("input.amount * 1.0 / 2", "number"),
        ("verdict.eligible ? verdict.score : verdict.label", "integer string"),
        ("[1, 'a'] + [verdict.score]", "array"),
        ("verdict.label + '!'", "string"),
        ("verdict.score % 2 == 0", "boolean"),
        ("[verdict.price][0].amount < 3", "boolean"),
        ("(verdict.eligible ? verdict.price : input).currency == 'JPY'", "boolean"),
        ("has(verdict.price.amount)", "boolean"),
        ("input == input", "boolean"),
    ],
)
def test_a_sound_condition_has_a_type_and_no_problems(text: str, kinds: str) -> None:
    result = checked(text)
    assert result.problems == ()
    assert {one["type"] if "type" in one else type(one["const"]).__name__ for one in result.type} == set(kinds.split())
    assert result.is_condition is (kinds == "boolean")


@pytest.mark.parametrize(
    ("text", "message", "did_you_mean"),
    [
        ("verdcit.score > 1", "there is no verdcit here; there is approve, input, item, verdict", "verdict"),
        ("verdict.scroe > 1", "verdict has no field scroe; it has score, label, eligible", "score"),
        ("verdict.price.amonut > 1", "verdict.price has no field amonut; it has amount, currency", "amount"),
        ("has(verdict.scroe)", "verdict has no field scroe", "score"),
        ("verdict.score.value > 1", "verdict.score is a whole number and has no fields", None),
        ("verdict.label == 'reufnd'", 'verdict.label is never "reufnd"; it is "refund" or "partial"', '"refund"'),
        ("verdict.label in ['refund', 'prtial']", 'verdict.label is never "prtial"', '"partial"'),
        ("'EUR2' != input.currency", 'input.currency is never "EUR2"', '"EUR"'),
        ("verdict.score == 'high'", 'verdict.score is a whole number, never "high"', None),
        ("verdict.score == null", "verdict.score is a whole number, never null", None),
        ("verdict.score >= '80'", '>= cannot compare a whole number with "80"', None),
        ("1 < verdict.score < 5", "write 1 < verdict.score && verdict.score < 5", None),
        ("verdict.score && true", "&& needs true or false; verdict.score is a whole number", None),
        ("!verdict.score", "! needs true or false", None),
        ("verdict.score ? 1 : 2", "?: needs true or false", None),
        ("is_true(verdict.score)", "is_true needs true or false", None),
        ("-verdict.label", '- needs a number; verdict.label is "refund" or "partial"', None),
        ("verdict.score + verdict.label", "+ cannot be applied to a whole number and", None),
        ("0.5 % 2 == 0", "% cannot be applied to 0.5 and 2", None),
        ("input.amount / 2 > 1", "input.amount / 2 drops the remainder", None),
        ("size(verdict.score) > 1", "size needs a string, a list or an object", None),
        ("verdict.score.contains('8')", "contains needs a string; verdict.score is", None),
        ("verdict.score in verdict.score", "in cannot look for a whole number in a whole number", None),
        ("'x' in verdict.lines", "verdict.lines never holds", None),
        ("verdict.score[0] == 1", "[] needs a list; verdict.score is a whole number", None),
        ("verdict.lines['a'].amount > 1", '[] needs a whole number; "a" is "a"', None),
    ],
)
def test_what_can_never_be_true_is_a_problem(text: str, message: str, did_you_mean: str | None) -> None:
    (problem,) = checked(text).problems
    assert message in problem.message
    assert problem.did_you_mean == did_you_mean
    assert not problem.may_be_unknown
    assert parse(problem.where)


def test_a_problem_knows_its_reference() -> None:
    (problem,) = checked("verdict.price.amonut > 1").problems
    assert (problem.path, problem.where) == (("verdict", "price", "amonut"), "verdict.price.amonut")
    assert str(problem).endswith("(did you mean amount?)")


@pytest.mark.parametrize(
    "text",
    [
        "approve.approved",
        "!approve.approved",
        "approve.by == 'x'",
        "approve.approved ? true : false",
        "verdict.eligible ? approve.approved : false",
        "has(approve) ? true : approve.approved",
        "size(approve.by) > 3",
    ],
)
def test_an_absent_root_that_nothing_absorbs_is_flagged(text: str) -> None:
    result = checked(text, absent="approve")
    (problem,) = result.problems
    assert problem.may_be_unknown
    assert problem.path[0] == "approve"
    assert "is unknown when approve was skipped" in problem.message
    assert checked(text).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "has(approve)",
        "has(approve.by)",
        "approve.approved || verdict.score > 80",
        "has(approve) && approve.approved",
        "is_true(approve.approved)",
        "has(approve) ? approve.approved : false",
        "has(approve) && verdict.eligible ? approve.approved : false",
        "!has(approve) ? false : approve.approved",
        "!has(approve) || verdict.eligible ? false : approve.approved",
    ],
)
def test_an_absorbed_or_guarded_absent_root_is_no_problem(text: str) -> None:
    assert checked(text, absent="approve").problems == ()


def test_nested_indices_are_checked_once_each() -> None:
    text = "item" + "[0]" * 25
    assert checked(text).problems == ()
