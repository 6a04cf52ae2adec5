"""Declaring workflows: decorators, the fluent form, and what comes out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from nexum import (
    BuildError,
    CompiledWorkflow,
    Context,
    Dedupes,
    InputError,
    Prompt,
    Retry,
    Timeouts,
    Workflow,
    workflow,
)
from nexum.core.canonical import from_bytes
from nexum.core.graph.nodes import Effect, Llm
from nexum.core.graph.policies import Dedupes as DedupesPolicy
from nexum.core.graph.policies import Hold


class Claim(BaseModel):
    order_id: str
    text: str


class Purchase(BaseModel):
    order_id: str
    amount: int


class Verdict(BaseModel):
    """The model's opinion."""

    score: int
    reason: str


agent = Workflow("RefundAgent", input=Claim, label="2")


@agent.read(retry=Retry(max_attempts=5), timeouts=Timeouts(start_to_close=timedelta(seconds=30)), priority=3)
async def purchase(claim: Claim) -> Purchase:
    """Ask the shop."""
    return Purchase(order_id=claim.order_id, amount=len(claim.text))


@agent.llm(model="openai:gpt-4o", fallback=["anthropic:claude"], repair=1, settings={"temperature": 0})
def verdict(claim: Claim, purchase: Purchase) -> Prompt[Verdict]:
    """Never sent."""
    return Prompt(f"{claim.text}: {purchase.amount}")


@agent.effect(
    tool="stripe.refund",
    key=purchase.out.order_id,
    when=verdict.out.score >= 80,
    provider=Dedupes(ttl=timedelta(hours=24)),
    after=verdict,
)
def refund(purchase: Purchase, ctx: Context) -> str:
    return f"{ctx.idempotency_key}:{purchase.amount}"


@agent.compute()
def letter(claim: Claim, refund: str | None) -> str:
    return f"{claim.order_id} {refund}"


built = agent.build()


def test_a_handler_can_be_called_as_the_plain_function() -> None:
    bought = asyncio.run(purchase(Claim(order_id="o1", text="abc")))

    assert bought == Purchase(order_id="o1", amount=3)
    assert refund(bought, Context(idempotency_key="k")) == "k:3"
    assert (purchase.__name__, purchase.__doc__) == ("purchase", "Ask the shop.")


def test_the_graph_holds_every_node_in_order_of_declaration() -> None:
    assert [node.id for node in built.graph.nodes] == ["purchase", "verdict", "refund", "letter"]
    assert [node.kind for node in built.graph.nodes] == ["read", "llm", "effect", "compute"]
    assert built.graph.workflow == built.name == "RefundAgent"


def test_parameters_are_bound_by_name_and_by_the_input_model() -> None:
    assert [(p.name, p.source, p.required) for p in built.graph["letter"].params] == [
        ("claim", "input", True),
        ("refund", "refund", False),
    ]
    assert [(p.name, p.reads) for p in built.graph["verdict"].params] == [
        ("claim", ("text",)),
        ("purchase", ("amount",)),
    ]


def test_the_context_is_injected_and_no_part_of_the_graph() -> None:
    assert [p.name for p in built.graph["refund"].params] == ["purchase"]
    assert built.handlers["refund"].contexts == ("ctx",)


def test_options_stand_in_the_graph() -> None:
    ask = built.graph["purchase"]
    assert (ask.retry.max_attempts, ask.timeouts.start_to_close, ask.priority) == (5, 30_000_000, 3)
    judge = built.graph["verdict"]
    assert isinstance(judge, Llm)
    assert (judge.models, judge.repair, judge.settings) == (
        ("openai:gpt-4o", "anthropic:claude"),
        1,
        {"temperature": 0},
    )
    pay = built.graph["refund"]
    assert isinstance(pay, Effect)
    assert (pay.tool, pay.key, pay.when) == ("stripe.refund", "purchase.order_id", "verdict.score >= 80")
    assert (pay.after, pay.doubt) == (("verdict",), DedupesPolicy(ttl=86_400_000_000))


def test_an_effect_without_promise_of_its_provider_is_held_in_doubt() -> None:
    flow = Workflow("Pay", input=Claim)

    @flow.effect(tool="bank")
    def pay(claim: Claim) -> None:
        return None

    node = flow.build().graph["pay"]
    assert isinstance(node, Effect)
    assert node.doubt == Hold()


def test_the_only_leaf_is_the_result() -> None:
    assert built.graph.result == ("letter",)


def test_several_leaves_are_the_result_together() -> None:
    flow = Workflow("Fan", input=Claim)

    @flow.compute()
    def long(claim: Claim) -> int:
        return len(claim.text)

    @flow.compute()
    def named(claim: Claim) -> str:
        return claim.order_id

    @flow.compute()
    def after_named(claim: Claim, named: str) -> str:
        return named

    assert flow.build().graph.result == ("long", "after_named")


def test_a_node_that_is_only_waited_for_is_no_leaf() -> None:
    flow = Workflow("Wait", input=Claim)

    @flow.read()
    def one(claim: Claim) -> int:
        return 1

    @flow.read(when=one.out > 0)
    def two(claim: Claim) -> int:
        return 2

    @flow.read(after=two)
    def three(claim: Claim) -> int:
        return 3

    assert flow.build().graph.result == ("three",)


def test_a_docstring_is_read_by_models_and_people_and_by_nobody_else() -> None:
    assert built.graph["verdict"].output["description"] == "The model's opinion."
    assert built.graph.input["title"] == "Claim"
    assert "title" not in built.graph["purchase"].output


def test_the_label_is_outside_the_version() -> None:
    other = Workflow("RefundAgent", input=Claim, label="3")
    other._nodes.extend(agent._nodes)

    assert (built.label, other.build().label) == ("2", "3")
    assert other.build().version == built.version


def test_both_faces_build_the_same_version() -> None:
    def double(claim: Claim) -> int:
        return 2 * len(claim.text)

    def shout(double: int) -> str:
        return "!" * double

    decorated = Workflow("Same", input=Claim)
    decorated.compute()(double)
    decorated.effect(tool="siren", when="double > 3")(shout)
    fluent = (
        workflow("Same", input=Claim).compute("double", double).effect("shout", shout, tool="siren", when="double > 3")
    )

    assert fluent.build().version == decorated.build().version
    assert repr(fluent) == "<workflow Same: double, shout>"


def test_the_fluent_form_names_its_nodes_itself() -> None:
    def ask(claim: Claim) -> Prompt[Verdict]:
        return Prompt(claim.text)

    def find(claim: Claim) -> Purchase:
        return Purchase(order_id="1", amount=1)

    flow = workflow("Research", input=Claim).read("search", find).llm("summarize", ask, model="m")

    assert [node.id for node in flow.build().graph.nodes] == ["search", "summarize"]


def test_a_finding_in_the_fluent_form_points_at_the_option_of_its_own_node() -> None:
    def find(claim: Claim) -> int:
        return 1

    flow = workflow("Research", input=Claim).read("one", find, when="true").read("two", find, priority=50)

    with pytest.raises(BuildError) as caught:
        flow.build()

    assert [item.snippet[item.column - 1 : item.end_column - 1] for item in caught.value.diagnostics] == [
        '"true"',
        "50",
    ]


def test_a_handler_gets_its_arguments_from_canonical_bytes() -> None:
    handler = built.handlers["letter"]
    context = Context()

    given = handler.arguments([("claim", b'{"order_id":"o1","text":"x"}'), ("refund", None)], context)

    assert given == {"claim": Claim(order_id="o1", text="x"), "refund": None}
    assert built.handlers["refund"].arguments([("purchase", b'{"order_id":"o","amount":1}')], context)["ctx"] is context
    assert built.handlers["purchase"].is_async
    assert not handler.is_async


def test_a_result_is_spelled_canonically_and_checked() -> None:
    assert built.handlers["purchase"].spell({"amount": 1, "order_id": "o"}) == b'{"amount":1,"order_id":"o"}'
    with pytest.raises(ValidationError):
        built.handlers["purchase"].spell({"amount": "many", "order_id": "o"})


def test_an_input_is_sent_as_canonical_json() -> None:
    assert built.input_json(Claim(order_id="o", text="t")) == {"order_id": "o", "text": "t"}


@pytest.mark.parametrize("wrong", [{"order_id": "o"}, {"order_id": 3, "text": "t"}, None, "claim"])
def test_an_input_that_does_not_fit_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError) as caught:
        built.input_json(wrong)

    assert caught.value.code == "NX-R101"
    assert caught.value.problems


def test_an_input_without_json_spelling_is_refused() -> None:
    flow = Workflow("Odd", input=float)

    @flow.compute()
    def twice(input: float) -> float:  # noqa: A002 (the name that binds to the run's input)
        return 2 * input

    with pytest.raises(InputError) as caught:
        flow.build().input_json(float("nan"))
    assert caught.value.code == "NX-R102"


def test_a_local_model_may_stand_in_annotations() -> None:
    class Local(BaseModel):
        size: int

    flow = Workflow("Local", input=Local)

    @flow.compute()
    def double(thing: Local) -> int:
        return 2 * thing.size

    assert from_bytes(flow.build().graph.data)["nodes"][0]["params"][0]["source"] == "input"


def test_a_workflow_tells_what_it_is() -> None:
    assert repr(agent) == "<workflow RefundAgent: purchase, verdict, refund, letter>"
    assert repr(purchase) == "<read node RefundAgent.purchase>"
    assert repr(verdict.out.score > 3) == "<reference verdict.score > 3>"
    assert repr(built).startswith("<RefundAgent sha256:")
    assert isinstance(built, CompiledWorkflow)
