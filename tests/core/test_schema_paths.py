"""Looking into schemas: fields through references and unions, and names that were meant."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, TypeAdapter

from nexum.core.schema import field_at, fields, kinds, nearest
from nexum.core.schema.resolve import alternatives


class Money(BaseModel):
    amount: int
    currency: str = "EUR"


class Tree(BaseModel):
    price: Money | None = None
    left: Tree | None = None
    rates: dict[str, float] = {}
    free: dict = {}


class Other(BaseModel):
    price: str


TREE = TypeAdapter(Tree).json_schema()
BOTH = TypeAdapter(Tree | Other).json_schema()


def test_a_path_leads_through_references_and_null() -> None:
    assert (field_at(TREE, ("left", "left", "price", "amount")) or {})["type"] == "integer"
    assert (field_at(TREE, ("rates", "anything")) or {})["type"] == "number"
    assert (field_at(TREE, ("free", "any", "thing")) or {}).keys() == {"$defs"}
    assert field_at(TREE, ()) == TREE


def test_what_is_not_declared_is_none() -> None:
    assert field_at(TREE, ("prize",)) is None
    assert field_at(TREE, ("price", "amount", "cents")) is None


def test_a_field_of_several_branches_is_all_of_them() -> None:
    price = field_at(BOTH, ("price",))
    assert price is not None
    assert sorted(kind for part in alternatives(price) for kind in kinds(part)) == ["null", "object", "string"]
    assert field_at(BOTH, ("price", "currency")) is not None


def test_fields_are_listed_in_order_over_all_branches() -> None:
    assert fields(BOTH) == ("price", "left", "rates", "free")
    assert fields({"type": "string"}) == ()


def test_conjunctions_are_merged() -> None:
    schema = {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "null"}}}]}
    assert fields(schema) == ("a", "b")


def test_a_union_that_holds_itself_ends() -> None:
    schema = {"$defs": {"U": {"anyOf": [{"$ref": "#/$defs/U"}, {"type": "null"}]}}, "$ref": "#/$defs/U"}
    assert [kinds(part) for part in alternatives(schema)] == [frozenset({"null"})]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("scroe", "score"),
        ("scor", "score"),
        ("Score", "score"),
        ("socres", "score"),
        ("lable", "label"),
        ("ix", "id"),
        ("points", None),
        ("x", None),
    ],
)
def test_the_name_that_was_meant_is_found(name: str, meant: str | None) -> None:
    assert nearest(name, ["verdict", "score", "label", "id"]) == meant
