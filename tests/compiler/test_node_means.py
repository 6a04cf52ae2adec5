"""What a handler may act through belongs to its kind of node."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from findings import only
from nexum import Context, Tx, Workflow, workflow
from nexum.core.graph.nodes import Transaction


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
