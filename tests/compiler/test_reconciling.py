"""The function behind `reconcile=`: what it may take, what it must give, and where it ends up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from findings import errors, only, pointed
from nexum import Context, Reconcile, Retry, Timeouts, Workflow, workflow
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import parse_graph
from nexum.core.run.plan import plan_of


class Claim(BaseModel):
    order: str


class Purchase(BaseModel):
    amount: int


class Receipt(BaseModel):
    id: str


class Copy(Receipt):
    when: str = ""


class Other(BaseModel):
    id: str


def find_refund(claim: Claim, ctx: Context) -> Receipt | None:
    return None if claim.order == ctx.idempotency_key else Receipt(id="re_1")


def refund(claim: Claim, purchase: Purchase | None) -> Receipt:
    return Receipt(id=f"{claim.order}{purchase}")


def purchase(claim: Claim) -> Purchase:
    return Purchase(amount=1)


def flow(ask: Any, act: Callable[..., Any] = refund) -> Workflow[Claim]:
    agent = Workflow("Refunds", input=Claim)
    agent.read(when=agent.input.order != "")(purchase)
    agent.effect(tool="pay", reconcile=ask)(act)
    return agent


def test_the_graph_says_how_the_provider_is_asked_and_the_worker_finds_the_function() -> None:
    how = Reconcile(
        find_refund,
        settle=timedelta(minutes=5),
        gap=timedelta(seconds=10),
        retry=Retry(max_attempts=7),
        timeouts=Timeouts(start_to_close=timedelta(seconds=3)),
    )

    built = flow(how).build()

    node = built.graph["refund"]
    assert isinstance(node, Effect)
    assert node.reconcile is not None
    assert (node.reconcile.settle, node.reconcile.gap) == (300_000_000, 10_000_000)
    assert (node.reconcile.retry.max_attempts, node.reconcile.timeouts.start_to_close) == (7, 3_000_000)
    assert node.reconcile.handler.ref == f"{__name__}:find_refund"
    assert node.reconcile.handler.fingerprint.startswith("sha256:")
    assert [(param.name, param.source) for param in node.reconcile.params] == [("claim", "input")]
    assert plan_of(built.graph).node_at("refund/reconcile.2").handler == node.reconcile.handler
    handler = built.handlers["refund/reconcile"]
    assert (handler.call, handler.contexts, set(handler.params)) == (find_refund, ("ctx",), {"claim"})
    assert parse_graph(built.graph.data) == built.graph


def test_a_bare_function_asks_after_a_quarter_of_an_hour_and_again_after_a_minute() -> None:
    node = flow(find_refund).build().graph["refund"]

    assert isinstance(node, Effect)
    assert node.reconcile is not None
    assert (node.reconcile.settle, node.reconcile.gap) == (900_000_000, 60_000_000)


def test_the_fluent_form_builds_the_same_version() -> None:
    fluent = (
        workflow("Refunds", input=Claim)
        .read("purchase", purchase, when="input.order != ''")
        .effect("refund", refund, tool="pay", reconcile=find_refund)
        .build()
    )

    assert fluent.version == flow(find_refund).build().version


def test_another_way_of_asking_is_another_version() -> None:
    def ask(claim: Claim) -> Receipt | None:
        return Receipt(id="re_2")

    versions = {flow(how).build().version for how in (None, find_refund, Reconcile(find_refund, gap=timedelta(0)), ask)}

    assert len(versions) == 4


def ask_with_purchase(purchase: Purchase | None) -> Receipt | None:
    return None


def ask_copy(claim: Claim) -> Copy | None:
    return None


@pytest.mark.parametrize("ask", [ask_with_purchase, ask_copy])
def test_what_the_effect_takes_and_what_is_more_than_it_gives_is_accepted(ask: Any) -> None:
    assert flow(ask).build().handlers["refund/reconcile"].call is ask


async def ask_async(claim: Claim) -> Receipt | None:
    return None


def test_a_provider_may_be_asked_on_the_loop() -> None:
    assert flow(ask_async).build().handlers["refund/reconcile"].is_async


def ask_nobody(clain: str) -> Receipt | None:
    return None


def ask_required(purchase: Purchase) -> Receipt | None:
    return None


def ask_always(claim: Claim) -> Receipt:
    return Receipt(id="x")


def ask_other(claim: Claim) -> Other | None:
    return None


def ask_none(claim: Claim) -> None:
    return None


def ask_untyped(claim: Claim):  # type: ignore[no-untyped-def]
    return None


@pytest.mark.parametrize(
    ("ask", "code", "where", "said"),
    [
        (ask_nobody, "NX-B101", "clain: str", "names no node"),
        (ask_required, "NX-B104", "purchase: Purchase", "runs without `purchase` too"),
        (ask_always, "NX-B141", "ask_always", "leaves no way to say that nothing is there"),
        (ask_other, "NX-B141", "ask_other", "returns Other | None, but `refund` returns Receipt"),
        (ask_none, "NX-B141", "ask_none", "returns None, but `refund` returns Receipt"),
        (ask_untyped, "NX-B107", "ask_untyped", "no return annotation"),
    ],
)
def test_a_function_that_does_not_fit_its_effect_is_a_finding_that_says_what_to_write(
    ask: Any, code: str, where: str, said: str
) -> None:
    found = only(flow(ask))

    assert (found.code, pointed(found)) == (code, where)
    assert said in found.message
    assert found.fixes


def test_what_the_effect_was_not_sent_with_cannot_be_asked_about() -> None:
    def pay(claim: Claim) -> Receipt:
        return Receipt(id=claim.order)

    found = only(flow(ask_with_purchase, pay))

    assert (found.code, pointed(found)) == ("NX-B140", "purchase: Purchase | None")
    assert found.fixes == ("use what the effect takes: `claim`", "give `pay` the parameter `purchase` too")


def test_an_effect_that_may_give_none_has_no_word_for_not_found() -> None:
    def pay(claim: Claim) -> Receipt | None:
        return None

    found = only(flow(find_refund, pay))

    assert found.code == "NX-B142"
    assert "None from `reconcile=` could mean found or not found" in found.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "`reconcile=` is 3, not a function that asks the provider"),
        (Reconcile(3), "`reconcile=`: ask is 3, not a function"),  # type: ignore[arg-type]
        (Reconcile(find_refund, settle=15), "settle is 15, not a timedelta"),  # type: ignore[arg-type]
        (Reconcile(find_refund, gap=timedelta(seconds=-1)), "gap"),
        (Reconcile(find_refund, retry=3), "retry is 3, not a Retry"),  # type: ignore[arg-type]
        (Reconcile(find_refund, retry=Retry(max_attempts="x")), "max_attempts is 'x'"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_cannot_be_there_is_a_finding(given: Any, said: str) -> None:
    found = errors(flow(given))

    assert {item.code for item in found} == {"NX-B124"}
    assert said in found[0].message


def test_a_node_is_not_asked_about_an_effect_because_it_would_run_in_every_run() -> None:
    agent = Workflow("Refunds", input=Claim)
    node = agent.read()(find_refund)
    agent.effect(tool="pay", reconcile=node)(refund)

    assert "NX-B124" in {item.code for item in errors(agent)}
