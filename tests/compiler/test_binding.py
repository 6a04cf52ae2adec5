"""What a handler's signature must say for its parameters to get their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, Field

from findings import errors, only, pointed
from nexum import BuildError, Workflow

if TYPE_CHECKING:
    from decimal import Decimal


class Claim(BaseModel):
    order_id: str
    amount: int


class Order(BaseModel):
    order_id: str
    amount: int
    note: str | None = None


class Small(BaseModel):
    order_id: str
    amount: int = Field(lt=10)


class Opaque:
    pass


@pytest.fixture
def agent() -> Workflow[Claim]:
    return Workflow("Agent", input=Claim)


def order(claim: Claim) -> Order:
    return Order(order_id=claim.order_id, amount=claim.amount)


def test_a_parameter_that_names_nothing_gives_the_nearest_name(agent: Workflow[Claim]) -> None:
    agent.read()(order)

    @agent.compute()
    def total(ordr: Order) -> int:
        return ordr.amount

    found = only(agent)
    assert found.code == "NX-B101"
    assert found.message == "parameter `ordr` of `total` names no node; did you mean 'order'?"
    assert found.file == __file__
    assert pointed(found) == "ordr: Order"
    assert found.fixes[0] == "rename the parameter to `order`"


def test_a_parameter_may_not_name_a_later_node(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(order: Order) -> int:
        return order.amount

    agent.read()(order)

    found = only(agent)
    assert found.code == "NX-B102"
    assert found.message == "parameter `order` of `total` names a node that is declared later"


def test_a_node_may_not_read_itself(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(total: int) -> int:
        return total

    assert only(agent).code == "NX-B102"


def test_a_condition_may_not_read_a_later_node(agent: Workflow[Claim]) -> None:
    @agent.compute(when="order.amount > 1")
    def total(claim: Claim) -> int:
        return claim.amount

    agent.read()(order)

    found = only(agent)
    assert found.code == "NX-B102"
    assert pointed(found) == '"order.amount > 1"'


def test_values_are_bound_by_name_only(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Claim, /, *others: int, **more: int) -> int:
        return claim.amount

    assert [item.code for item in errors(agent)] == ["NX-B103"] * 3


def test_a_parameter_must_accept_what_its_source_gives(agent: Workflow[Claim]) -> None:
    agent.read()(order)

    @agent.compute()
    def total(order: Small) -> int:
        return order.amount

    found = only(agent)
    assert found.code == "NX-B104"
    assert found.message == "`order` of `total` takes Small, but `order` gives Order"
    assert "$.amount" in found.why


def test_a_parameter_must_take_none_where_its_source_may_give_it(agent: Workflow[Claim]) -> None:
    @agent.read()
    def maybe(claim: Claim) -> Order | None:
        return None

    @agent.compute()
    def total(maybe: Order) -> int:
        return maybe.amount

    found = only(agent)
    assert found.code == "NX-B104"
    assert found.fixes == ("write `maybe: Order | None`: `maybe` may give None",)


def test_a_reference_to_a_field_that_is_not_there_fails_at_once(agent: Workflow[Claim]) -> None:
    handle = agent.read()(order)

    with pytest.raises(BuildError) as caught:
        handle.out.amuont  # type: ignore[attr-defined]  # noqa: B018

    (found,) = caught.value.diagnostics
    assert found.code == "NX-B105"
    assert found.message == "Order has no field 'amuont'; did you mean 'amount'?"
    assert found.file == __file__
    assert "handle.out.amuont" in found.snippet
    assert not hasattr(handle.out, "amuont")


def test_what_cannot_be_decided_is_an_error_that_says_so(agent: Workflow[Claim]) -> None:
    class Coded(BaseModel):
        code: str = Field(pattern="^[a-z]+$")

    class Recoded(BaseModel):
        code: str = Field(pattern="^[a-y]*z?$")

    @agent.read()
    def coded(claim: Claim) -> Coded:
        return Coded(code="a")

    @agent.compute()
    def total(coded: Recoded) -> int:
        return 1

    found = next(item for item in errors(agent) if item.severity == "error")
    assert found.code == "NX-B106"
    assert found.message == "cannot decide if `coded` of `total` (Recoded) accepts `coded` (Coded)"


def test_every_annotation_is_needed(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim):  # type: ignore[no-untyped-def]
        return 1

    parameter, returned = errors(agent)
    assert (parameter.code, returned.code) == ("NX-B107", "NX-B107")
    assert parameter.message == "parameter `claim` of `total` has no annotation"
    assert returned.message == "`total` has no return annotation"
    assert pointed(returned) == "total"


def test_an_output_reference_needs_a_return_annotation(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Claim):  # type: ignore[no-untyped-def]
        return 1

    with pytest.raises(BuildError, match="NX-B107"):
        total.out  # noqa: B018


def test_a_type_without_schema_is_refused_everywhere() -> None:
    agent = Workflow("Agent", input=Opaque)

    @agent.compute()
    def total(input: Opaque) -> Opaque:  # noqa: A002 (the name that binds to the run's input)
        return input

    assert [item.code for item in errors(agent)] == ["NX-B108"] * 3


def test_a_callable_has_no_schema(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Claim) -> Callable[[], int]:
        return lambda: 1

    assert only(agent).code == "NX-B108"


def test_an_annotation_must_exist_at_run_time(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Claim) -> Decimal:
        return claim.amount  # type: ignore[return-value]

    found = only(agent)
    assert found.code == "NX-B109"
    assert found.message == "the return annotation of `total` cannot be resolved: name 'Decimal' is not defined"


def test_a_parameter_annotation_must_exist_at_run_time(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Decimal) -> int:
        return 1

    assert only(agent).code == "NX-B109"
