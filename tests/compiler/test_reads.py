"""Which fields a handler reads."""

from __future__ import annotations

import ast
import textwrap

import pytest
from pydantic import BaseModel, Field

from nexum.compiler.reads import reads


class Seller(BaseModel):
    city: str
    name: str


class Purchase(BaseModel):
    order_id: str
    amount: int
    seller: Seller
    total: int = Field(default=0, serialization_alias="grandTotal")


def read_of(body: str, kind: object = Purchase) -> tuple[str, ...] | None:
    function = ast.parse(f"def handler(purchase):\n{textwrap.indent(textwrap.dedent(body), '    ')}").body[0]
    assert isinstance(function, ast.FunctionDef)
    return reads(function, "purchase", kind)


def test_attributes_are_reads() -> None:
    assert read_of("return purchase.amount + len(purchase.order_id)") == ("amount", "order_id")


def test_nested_attributes_are_paths() -> None:
    assert read_of("return purchase.seller.city") == ("seller.city",)


def test_a_method_of_a_field_reads_the_field() -> None:
    assert read_of("return purchase.order_id.upper()") == ("order_id",)


def test_a_part_of_what_is_read_whole_is_not_listed() -> None:
    assert read_of("print(purchase.seller)\nreturn purchase.seller.city") == ("seller",)


def test_a_field_has_its_json_name() -> None:
    assert read_of("return purchase.total") == ("grandTotal",)


def test_an_unused_parameter_reads_nothing() -> None:
    assert read_of("return 1") == ()


@pytest.mark.parametrize(
    "body",
    [
        "return 1 if purchase is None else 2",
        "if purchase:\n    return 1",
        "if not purchase:\n    return 1",
        "assert purchase",
        "return 1 if purchase is not None else 2",
    ],
)
def test_asking_whether_it_is_there_reads_nothing(body: str) -> None:
    assert read_of(body) == ()


@pytest.mark.parametrize(
    "body",
    [
        "return purchase",
        "return f(purchase)",
        "other = purchase",
        "return purchase.model_dump()",
        "return [purchase]",
        "return f'{purchase}'",
        "purchase = 1",
        "del purchase",
        "return purchase == 1",
        "return purchase or 1",
        "return locals()",
        "purchase.amount = 3",
        "return lambda: purchase",
    ],
)
def test_a_parameter_that_escapes_reads_everything(body: str) -> None:
    assert read_of(body) is None


def test_a_read_inside_a_nested_function_counts() -> None:
    assert read_of("return sorted([], key=lambda x: purchase.amount)") == ("amount",)


def test_a_value_without_fields_is_read_whole() -> None:
    assert read_of("return purchase + 1", int) is None


def test_both_members_of_a_union_with_none_are_looked_into() -> None:
    assert read_of("return purchase.amount if purchase else 0", Purchase | None) == ("amount",)
