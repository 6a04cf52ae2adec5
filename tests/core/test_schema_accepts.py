"""Reader against written schema: yes, no with a place and a reason, undecided."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from nexum.core.schema import Answer, accepts


class Two(Enum):
    A = "a"
    B = "b"


class Three(Enum):
    A = "a"
    B = "b"
    C = "c"


class Old(BaseModel):
    x: int


class Wider(BaseModel):
    x: int
    w: int = 0


class Needs(BaseModel):
    x: int
    w: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def schema(kind: object) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema()


def linked(last: object) -> dict[str, Any]:
    """A recursive list of `{value, next}`."""
    node = create_model("Node", value=(last, ...), next=("Node | None", None))
    return schema(node)


@pytest.mark.parametrize(
    ("reader", "written"),
    [
        (float, int),
        (int | None, int),
        (int | None, None),
        (str | int, int | str),
        (Three, Two),
        (Two, Literal["a"]),
        (Literal["a", 1, None], Literal["a", None]),
        (bool, Literal[True]),
        (Literal[True, False], bool),
        (Wider, Old),
        (Old, Wider),
        (Old, Closed),
        (Closed, Old),
        (Old, Open),
        (dict[str, int], Old),
        (dict[str, float], dict[str, int]),
        (dict[Three, int], dict[Two, int]),
        (Cat | Dog, Pet),
        (Pet, Cat),
        (Pet, Pet),
        (Pet | None, Dog),
        (list[float], tuple[int, int]),
        (tuple[int, ...], tuple[int, int]),
        (tuple[float, str | None], tuple[int, str]),
        (list[int], set[int]),
        (date, date),
        (str, datetime),
        (Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0, lt=10)]),
        (Annotated[int, Field(gt=0)], Annotated[int, Field(ge=1)]),
        (Annotated[int, Field(ge=1)], Annotated[int, Field(gt=0)]),
        (Annotated[float, Field(lt=5.5)], Annotated[int, Field(le=5)]),
        (Annotated[int, Field(multiple_of=2)], Annotated[int, Field(multiple_of=6)]),
        (Annotated[str, Field(max_length=5)], Annotated[str, Field(min_length=1, max_length=3)]),
        (Annotated[str, Field(pattern="^a")], Annotated[str, Field(pattern="^a")]),
        (Annotated[list[int], Field(min_length=2)], tuple[int, int]),
        (Any, Old),
        (dict[str, Any], Old),
    ],
)
def test_what_is_written_fits_the_reader(reader: object, written: object) -> None:
    assert accepts(schema(reader), schema(written)) == (Answer.YES, "", "")


@pytest.mark.parametrize(
    ("reader", "written", "path", "reason"),
    [
        (int, float, "$", "may be a number; the reader wants a whole number"),
        (int, int | None, "$", "may be null; the reader wants a whole number"),
        (str, int, "$", "may be a whole number; the reader wants a string"),
        (Two, Three, "$", 'may be "c"; the reader wants "a" or "b"'),
        (Two, str, "$", 'may be any string; the reader wants "a" or "b"'),
        (Needs, Old, "$.w", "is never written; the reader requires it"),
        (Needs, Wider, "$.w", "may be missing; the reader requires it"),
        (Closed, Wider, "$.w", "may be written; the reader allows no such field"),
        (Closed, Open, "$", "may hold fields of any name; the reader allows only its own"),
        (
            Wider,
            Open,
            "$.w",
            "may be anything; the reader wants a whole number",
        ),
        (list[Old], list[Cat], "$[*].x", "is never written; the reader requires it"),
        (Pet, Cat | Dog | Old, "$", ""),
        (Cat, Pet, "$.kind", 'may be "dog"; the reader wants "cat"'),
        (Pet, int, "$", "may be a whole number; the reader wants an object (Cat) or an object (Dog)"),
        (tuple[int, str], tuple[int, int], "$[1]", "may be a whole number; the reader wants a string"),
        (tuple[int, int], list[int], "$", "may have fewer than 2 elements, which the reader wants at least"),
        (set[int], list[int], "$", "may repeat an element; the reader wants each once"),
        (date, str, "$", "may be any string; the reader wants the format date"),
        (date, datetime, "$", "may be the format date-time; the reader wants the format date"),
        (
            Annotated[int, Field(gt=1)],
            Annotated[int, Field(gt=0)],
            "$",
            "may be less than the reader allows (exclusiveMinimum 1)",
        ),
        (
            Annotated[float, Field(ge=1)],
            Annotated[float, Field(gt=0)],
            "$",
            "may be less than the reader allows (minimum 1)",
        ),
        (
            Annotated[int, Field(multiple_of=4)],
            Annotated[int, Field(multiple_of=6)],
            "$",
            "may be no multiple of 4, which the reader wants",
        ),
        (
            Annotated[str, Field(max_length=5)],
            str,
            "$",
            "may have more than 5 characters, which the reader allows at most",
        ),
        (dict[Two, int], dict[str, int], "$", 'may be any string; the reader wants "a" or "b"'),
        (int, Any, "$", None),
    ],
)
def test_what_may_not_fit_is_named(reader: object, written: object, path: str, reason: str | None) -> None:
    verdict = accepts(schema(reader), schema(written))
    assert not verdict.accepted
    if reason:
        assert verdict == (Answer.NO, path, reason)


@pytest.mark.parametrize(
    ("reader", "written", "reason"),
    [
        ({"type": "string", "pattern": "^a"}, {"type": "string"}, "cannot be told"),
        ({"if": {"type": "string"}}, {"type": "string"}, "not understood"),
        ({"not": {"type": "string"}}, {"type": "integer"}, "not understood"),
        ({"$ref": "#/$defs/Gone"}, {"type": "string"}, "leads nowhere"),
        ({"anyOf": [{"minimum": 1}, {"maximum": 0}]}, {"type": "integer"}, "no single form"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 0}]}, {"type": "integer", "minimum": 2}, "exactly one"),
        ({"type": "string"}, {"allOf": [{"minLength": 1}, {"maxLength": 3}]}, "intersection"),
    ],
)
def test_what_cannot_be_told_is_undecided(reader: dict[str, Any], written: dict[str, Any], reason: str) -> None:
    verdict = accepts(reader, written)
    assert verdict.answer is Answer.UNDECIDED
    assert reason in str(verdict)


def test_recursive_schemas_are_compared_to_their_end() -> None:
    assert accepts(linked(float), linked(int)).accepted
    assert accepts(linked(int | None), linked(int)).accepted
    verdict = accepts(linked(int), linked(float))
    assert (verdict.answer, verdict.path) == (Answer.NO, "$.value")


def test_a_wrong_assumption_about_a_recursion_is_not_kept() -> None:
    """The first form of the reader fails only below the recursion; the second must then be judged afresh."""
    written = linked(int)
    first = {"$ref": "#/$defs/First"}
    defs = {
        "First": {
            "type": "object",
            "properties": {"next": {"anyOf": [first, {"type": "null"}]}, "value": {"type": "null"}},
        },
        "Second": {"type": "object", "properties": {"next": first}},
    }
    verdict = accepts({"$defs": defs, "anyOf": [first, {"$ref": "#/$defs/Second"}]}, written)
    assert not verdict.accepted


def test_a_schema_too_deep_is_undecided_and_does_not_overflow() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(190):
        deep = {"type": "array", "items": deep}
    assert accepts(deep, deep).answer is Answer.UNDECIDED
