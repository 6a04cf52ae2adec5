"""What a handler may act through belongs to its kind of node."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from findings import errors, only
from nexum import IO, Context, Reconcile, Tx, Workflow, workflow
from nexum.core.graph.nodes import Effect, Transaction


class Claim(BaseModel):
    order_id: str


@pytest.fixture
def agent() -> Workflow[Claim]:
    return Workflow("Agent", input=Claim)


def book(claim: Claim, tx: Tx, ctx: Context) -> str:
    return claim.order_id


def test_a_transaction_is_given_its_tx_and_the_graph_does_not_tell(agent: Workflow[Claim]) -> None:
    agent.transaction(priority=3)(book)
    built = agent.build()

    (node,) = built.graph.nodes
    assert isinstance(node, Transaction)
    assert ([param.name for param in node.params], node.priority) == (["claim"], 3)
    given = built.handlers["book"].arguments([("claim", b'{"order_id": "o"}')], "ctx", "tx")
    assert given == {"claim": Claim(order_id="o"), "ctx": "ctx", "tx": "tx"}


def test_the_fluent_form_declares_the_same(agent: Workflow[Claim]) -> None:
    agent.transaction(priority=3)(book)
    fluent = workflow("Agent", input=Claim).transaction("book", book, priority=3).build()

    assert fluent.graph.nodes[0].model_copy(update={"handler": None}) == agent.build().graph.nodes[0].model_copy(
        update={"handler": None}
    )


def test_an_async_transaction_is_refused(agent: Workflow[Claim]) -> None:
    async def later(claim: Claim) -> str:
        return claim.order_id

    agent.transaction()(later)

    found = only(agent)
    assert found.code == "NX-B150"
    assert found.message == "transaction `later` is an `async def`"


def test_only_a_transaction_has_a_tx(agent: Workflow[Claim]) -> None:
    agent.read()(book)

    found = only(agent)
    assert found.code == "NX-B151"
    assert found.message == "`book` is a read node and takes `tx: Tx`"


def pay(claim: Claim, io: IO) -> str:
    return io.call(str, claim.order_id)


def test_an_effect_with_an_io_is_one_that_journals_its_calls(agent: Workflow[Claim]) -> None:
    agent.effect(tool="bank")(pay)
    built = agent.build()

    (node,) = built.graph.nodes
    assert isinstance(node, Effect)
    assert node.io
    assert [param.name for param in node.params] == ["claim"]
    assert built.graph.data.count(b'"io":true') == 1
    assert built.handlers["pay"].arguments([("claim", b'{"order_id": "o"}')], "ctx", "io")["io"] == "io"


def test_only_an_effect_has_an_io(agent: Workflow[Claim]) -> None:
    agent.read()(pay)

    assert only(agent).message == "`pay` is a read node and takes `io: IO`"


def test_an_effect_that_journals_its_calls_is_not_asked_about_as_a_whole(agent: Workflow[Claim]) -> None:
    def find(claim: Claim) -> str | None:
        return None

    agent.effect(tool="bank", reconcile=Reconcile(find))(pay)

    found = next(item for item in errors(agent) if item.severity == "error")
    assert found.code == "NX-B152"
    assert found.message == "effect `pay` acts through IO, so that doubt is about a call, and has `reconcile=`"


@pytest.mark.parametrize(("key", "refused"), [("input.order_id", True), (None, False)])
def test_calls_that_another_run_may_have_made_are_not_undone(
    agent: Workflow[Claim], key: str | None, refused: bool
) -> None:
    def back(pay: str | None) -> None:
        return None

    named: dict[str, Any] = {} if key is None else {"key": key}
    agent.effect(tool="bank", compensate=back, **named)(pay)

    if not refused:
        assert agent.build().graph["pay"].io  # type: ignore[union-attr]
        return
    found = next(item for item in errors(agent) if item.severity == "error")
    assert found.code == "NX-B152"
    assert found.message.endswith("has `compensate=`")
