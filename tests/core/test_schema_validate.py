"""What does not fit a schema is named by place, by what is there and by what should be."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from nexum.core.schema import SchemaError, problems


class Currency(Enum):
    EUR = "EUR"
    JPY = "JPY"


class Card(BaseModel):
    kind: Literal["card"]
    digits: str = Field(min_length=4, max_length=4, pattern="^[0-9]+$")


class Bank(BaseModel):
    kind: Literal["bank"]
    iban: str


class Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: int = Field(gt=0, le=5_000)
    currency: Currency = Currency.EUR
    note: str | None = None
    pay: Annotated[Card | Bank, Field(discriminator="kind")]
    tags: set[str] = Field(default_factory=set, max_length=3)
    pair: tuple[int, str] | None = None
    rates: dict[str, float] = {}
    parent: Claim | None = None


SCHEMA: dict[str, Any] = TypeAdapter(Claim).json_schema()
GOOD: dict[str, Any] = {"amount": 5, "pay": {"kind": "card", "digits": "1234"}}


def said(value: object) -> list[str]:
    return [str(problem) for problem in problems(SCHEMA, value)]


def test_a_value_that_fits_has_no_problems() -> None:
    assert said(GOOD) == []
    assert said({**GOOD, "parent": {**GOOD, "note": None, "pair": [1, "a"], "tags": ["a"], "rates": {"x": 1}}}) == []
    assert said({**GOOD, "amount": 5.0}) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": "5"}, '$.amount: got "5", wanted a whole number'),
        ({"amount": True}, "$.amount: got true, wanted a whole number"),
        ({"amount": 1.5}, "$.amount: got 1.5, wanted a whole number"),
        ({"amount": 0}, "$.amount: got 0, wanted more than 0"),
        ({"amount": 6000}, "$.amount: got 6000, wanted at most 5000"),
        ({"currency": "USD"}, '$.currency: got "USD", wanted "EUR" or "JPY"'),
        ({"note": 5}, "$.note: got 5, wanted a string or null"),
        ({"pay": {"kind": "card"}}, "$.pay.digits: got nothing, wanted a string"),
        ({"pay": {"kind": "crad"}}, '$.pay.kind: got "crad", wanted "bank" or "card"'),
        ({"pay": {}}, '$.pay.kind: got nothing, wanted "bank" or "card"'),
        ({"pay": 3}, "$.pay: got 3, wanted an object (Card) or an object (Bank)"),
        ({"pay": {"kind": "card", "digits": "12"}}, "$.pay.digits: got 2 characters, wanted at least 4"),
        (
            {"pay": {"kind": "card", "digits": "123\n"}},
            '$.pay.digits: got "123\\n", wanted a string that matches ^[0-9]+$',
        ),
        ({"tags": ["a", "a"]}, "$.tags: got a list of 2, wanted a list without repetition"),
        ({"tags": ["a", "b", "c", "d"]}, "$.tags: got 4 elements, wanted at most 3"),
        ({"pair": [1, 2]}, "$.pair[1]: got 2, wanted a string"),
        ({"rates": {"x y": "1"}}, '$.rates["x y"]: got "1", wanted a number'),
        ({"amonut": 1}, "$.amonut: got 1, wanted no such field (did you mean amount?)"),
        ({"parent": {**GOOD, "amount": None}}, "$.parent.amount: got null, wanted a whole number"),
    ],
)
def test_a_problem_names_the_place_and_what_is_wanted(change: dict[str, Any], expected: str) -> None:
    assert said({**GOOD, **change}) == [expected]


def test_all_problems_are_told_up_to_a_hundred() -> None:
    assert said({}) == [
        "$.amount: got nothing, wanted a whole number",
        "$.pay: got nothing, wanted an object (Card) or an object (Bank)",
    ]
    assert len(problems({"items": {"type": "string"}}, list(range(1_000)))) == 100


def test_what_is_no_json_is_refused() -> None:
    assert said(object()) == ["$: got a object, which is not JSON, wanted a JSON value"]
    assert [str(one) for one in problems({"minimum": 1}, b"x")] == [
        "$: got a bytes, which is not JSON, wanted a JSON value"
    ]


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"$ref": "#/$defs/Gone"}, "leads nowhere"),
        ({"$ref": "other.json"}, "does not begin"),
        ({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}, "in a circle"),
        ({"if": {"type": "string"}, "then": {"minLength": 1}}, "not supported"),
        ({"type": "string", "pattern": "("}, "cannot be read"),
        ({"properties": {"a": 5}}, "is not a JSON Schema"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_and_not_a_pass(schema: dict[str, Any], says: str) -> None:
    value: object = {"a": 1} if "properties" in schema else "x"
    with pytest.raises(SchemaError, match=says):
        problems(schema, value)


def test_a_deep_value_is_refused_and_not_descended_into() -> None:
    deep: Any = GOOD
    for _ in range(300):
        deep = {**GOOD, "parent": deep}
    assert "nested deeper" in said(deep)[0]
    nest: list[object] = []
    for _ in range(5_000):
        nest = [nest]
    assert "nested deeper" in str(problems({"uniqueItems": True}, nest)[0])
    assert problems({}, nest) == ()


def test_nested_unions_cost_no_more_than_their_size() -> None:
    left = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}, "x": {"type": "string"}}}
    right = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}, "x": {"type": "integer"}}}
    schema = {"$defs": {"N": {"anyOf": [left, right]}}, "$ref": "#/$defs/N"}
    value: dict[str, Any] = {"x": None}
    for _ in range(50):
        value = {"next": value}
    assert len(problems(schema, value)) == 1
