"""Conditions and keys: both ways to write them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from nexum import BuildError, Prompt, Workflow, has, in_, not_, size
from nexum.errors import Diagnostic


class Address(BaseModel):
    city: str


class Claim(BaseModel):
    order_id: str
    amount: int
    note: str | None = None
    limit: int = 5
    price: float = 0.5
    tags: list[str] = []
    extra: dict[str, int] = {}
    address: Address = Address(city="x")
    total: int = Field(default=0, alias="grandTotal")


class Approval(BaseModel):
    approved: bool


agent = Workflow("Agent", input=Claim)
claim = agent.input


def compiled(**options: Any) -> Any:
    """The one effect of a workflow that is declared with these options."""
    flow = _flow(**options)
    return flow.build().graph["pay"]


def only(**options: Any) -> Diagnostic:
    with pytest.raises(BuildError) as caught:
        _flow(**options).build()
    (found,) = caught.value.diagnostics
    return found


def _flow(**options: Any) -> Workflow[Claim]:
    flow = Workflow("Agent", input=Claim)
    flow.compute(when="input.amount > 3")(approve)
    flow.compute()(count)
    flow.effect(tool="bank", **options)(pay)
    return flow


def approve(claim: Claim) -> Approval:
    return Approval(approved=claim.amount > 4)


def count(claim: Claim) -> int:
    return claim.amount


def pay(claim: Claim, count: int) -> str:
    return f"{claim.order_id} {count}"


def receipt(claim: Claim) -> str:
    return claim.order_id


def letter(claim: Claim) -> str:
    return claim.order_id


def notice(claim: Claim) -> str:
    return claim.order_id


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (claim.amount >= 80, "input.amount >= 80"),
        (claim.amount != claim.limit, "input.amount != input.limit"),
        (
            (claim.amount > 1) & (claim.amount < 9) & (claim.limit <= 3),
            "input.amount > 1 && input.amount < 9 && input.limit <= 3",
        ),
        ((claim.amount > 1) | (claim.limit == 2), "input.amount > 1 || input.limit == 2"),
        (not_((claim.amount > 1) | (claim.limit == 2)), "!(input.amount > 1 || input.limit == 2)"),
        (in_(claim.order_id, ["a", "b"]), 'input.order_id in ["a", "b"]'),
        (in_("vip", claim.tags), '"vip" in input.tags'),
        (size(claim.tags) > 0, "size(input.tags) > 0"),
        (has(claim.note), "has(input.note)"),
        (claim.note == None, "input.note == null"),  # noqa: E711 (`is` cannot be overloaded)
        (claim.address.city == 'say "hi"', 'input.address.city == "say \\"hi\\""'),
        (claim.tags[0] == "vip", 'input.tags[0] == "vip"'),
        (claim.extra["weight"] > 3, "input.extra.weight > 3"),
        (claim.total > 3, "input.grandTotal > 3"),
        (claim.order_id + "x" == "yx", 'input.order_id + "x" == "yx"'),
        (claim.price > 0.5, "input.price > 0.5"),
        ("input.amount>=80&&has( count )", "input.amount >= 80 && has(count)"),
        ("run.tenant == 'acme'", 'run.tenant == "acme"'),
        ("has(approve) && approve.approved", "has(approve) && approve.approved"),
        ("count > 3", "count > 3"),
    ],
    ids=repr,
)
def test_references_and_text_give_the_same_expression(written: Any, text: str) -> None:
    assert compiled(when=written).when == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (claim.order_id, "input.order_id"),
        (claim.amount, "input.amount"),
        ("order:" + claim.order_id, '"order:" + input.order_id'),
        ("run.id", "run.id"),
    ],
    ids=repr,
)
def test_a_key_is_a_string_or_an_integer_of_the_run(written: Any, text: str) -> None:
    assert compiled(key=written).key == text


@pytest.mark.parametrize("key", ["'constant'", "7", "run.tenant", "'x' + run.tenant"])
def test_a_key_must_differ_between_runs(key: str) -> None:
    assert only(key=key).code == "NX-B121"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("input.amount > 3", "is true or false"),
        ("input.price", "is a number"),
        ("input.note", "may be null or left out"),
        ("'n' + input.note", "reads `input.note`, which may be null or left out"),
        ("input.limit", "reads `input.limit`, which may be null or left out"),
        ("input.tags", "is a list"),
        ("run.key", "reads `run.key`, which is empty in a run that was started without one"),
        ("'k' + run.key", "reads `run.key`"),
    ],
)
def test_a_key_must_be_a_string_or_integer_that_is_always_there(key: str, words: str) -> None:
    found = only(key=key)

    assert found.code == "NX-B122"
    assert words in found.message


def test_two_effects_of_one_tool_and_key_are_one_act_however_the_key_is_written() -> None:
    flow = _flow(key="input.order_id")
    flow.effect(tool="bank", key=claim.order_id)(receipt)
    flow.effect(tool="post", key=claim.order_id)(letter)
    flow.effect(tool="bank", key="'n:' + input.order_id")(notice)

    with pytest.raises(BuildError) as caught:
        flow.build()

    (found,) = caught.value.diagnostics
    assert (found.code, found.snippet[found.column - 1 : found.end_column - 1]) == ("NX-B153", "claim.order_id")
    assert "`key=` of `receipt` is `input.order_id` of tool `bank`, as that of `pay` at line" in found.message


def test_effects_without_a_business_key_may_share_a_tool() -> None:
    flow = _flow()
    flow.effect(tool="bank")(receipt)

    assert len(flow.build().graph.nodes) == 4


@pytest.mark.parametrize("option", ["when", "key"])
def test_a_field_that_is_not_there_is_named_with_the_nearest(option: str) -> None:
    found = only(**{option: "input.amuont"})

    assert found.code == "NX-B105"
    assert found.message == f"`{option}=` of `pay` reads `input.amuont`, which is no field; did you mean 'amount'?"
    assert "it has order_id, amount, note" in found.why


def test_a_scalar_has_no_fields() -> None:
    assert only(when="input.amount.cents > 3").code == "NX-B105"


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("input.amount", "not true or false"),
        ("input.amount > 'x'", "cannot compare"),
        ("input.amount && true", "&& needs true or false"),
        ("!input.order_id", "! needs true or false"),
        ("size(input.amount) > 3", "size needs"),
        ("input.amount == 'x'", "never"),
    ],
)
def test_a_condition_must_have_the_type_of_one(when: str, words: str) -> None:
    found = only(when=when)

    assert found.code == "NX-B114"
    assert words in found.message


@pytest.mark.parametrize("when", ["true", "1 < 2", "'a' in ['a']"])
def test_a_condition_must_not_be_constant(when: str) -> None:
    found = only(when=when)

    assert found.code == "NX-B115"
    assert "is the constant" in found.message


@pytest.mark.parametrize("option", ["when", "key"])
def test_a_node_that_may_be_skipped_must_be_taken_up(option: str) -> None:
    text = {"when": "approve.approved", "key": "approve.approved ? 'a' : 'b'"}[option]

    found = only(**{option: text})

    assert found.code == "NX-B116"
    assert found.message == f"`{option}=` of `pay` reads `approve.approved`, and `approve` may be skipped"
    assert found.fixes[0] == "write `has(approve) && ...`"


@pytest.mark.parametrize("when", ["approve.approved || input.amount > 3", "is_true(approve.approved)", "has(approve)"])
def test_an_unknown_that_is_taken_up_is_no_error(when: str) -> None:
    assert compiled(when=when).when == when


def test_a_node_whose_own_source_is_required_need_not_take_it_up() -> None:
    flow = Workflow("Agent", input=Claim)
    flow.compute(when="input.amount > 3")(approve)

    @flow.effect(tool="bank", when="approve.approved")
    def pay(approve: Approval) -> None:
        return None

    assert flow.build().graph["pay"].when == "approve.approved"


def test_a_name_that_is_no_node_is_named_with_the_nearest() -> None:
    found = only(when="cuont > 3")

    assert found.code == "NX-B101"
    assert found.message == "`when=` of `pay` reads `cuont`, which is no node; did you mean 'count'?"


@pytest.mark.parametrize(
    "accept",
    ["judge.approved", lambda out: out.approved, lambda out: out.approved == True],  # noqa: E712
)
def test_accept_is_a_condition_over_the_answer(accept: Any) -> None:
    flow = Workflow("Agent", input=Claim)

    @flow.llm(model="m", accept=accept)
    def judge(claim: Claim) -> Prompt[Approval]:
        return Prompt(claim.order_id)

    assert flow.build().graph["judge"].model_dump()["accept"].startswith("judge.approved")


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("input.amount > 3", "NX-B101"),
        ("judge.aproved", "NX-B105"),
        (lambda out: out.aproved, "NX-B105"),
        (lambda out: out.approved and True, "NX-B115"),
        (lambda out: True, "NX-B115"),
    ],
    ids=["input", "text", "reference", "and", "constant"],
)
def test_accept_sees_nothing_but_the_answer(accept: Any, code: str) -> None:
    flow = Workflow("Agent", input=Claim)

    @flow.llm(model="m", accept=accept)
    def judge(claim: Claim) -> Prompt[Approval]:
        return Prompt(claim.order_id)

    with pytest.raises(BuildError) as caught:
        flow.build()
    assert [item.code for item in caught.value.diagnostics] == [code]


def test_the_reference_of_an_effect_is_a_path_in_its_output() -> None:
    def wire(claim: Claim) -> Address:
        return Address(city="x")

    flow = Workflow("Agent", input=Claim)
    flow.effect(tool="bank", reference="city")(wire)
    wrong = Workflow("Agent", input=Claim)
    wrong.effect(tool="bank", reference="cty")(wire)

    assert flow.build().graph["wire"].model_dump()["reference"] == "city"
    with pytest.raises(BuildError, match="which is no field of its output; did you mean 'city'"):
        wrong.build()
