"""A run whose payment was sent and never answered, for every test about doubt."""

from __future__ import annotations

from typing import Any

from engine_driver import Driver
from graphs import compute, graph, params
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error
from nexum.core.run.state import CellStatus
from nexum.engine.work import Failed

PAY = Cell("pay")
RECEIPT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "amount": {"type": "integer"}},
    "required": ["id", "amount"],
}
ONE_ATTEMPT = RetryPolicy(max_attempts=1)
LOST = Failed(Error("NX-E201", "the connection was reset", retryable=True), sent="unknown")


def shop(**more: Any) -> Graph:
    """An effect that is held when in doubt, with a node after it that reads its output."""
    options: dict[str, Any] = {"doubt": Hold(), "output": RECEIPT, "reference": "id", "retry": ONE_ATTEMPT, **more}
    pay = Effect(id="pay", handler=Handler(ref="m:pay"), params=params(("input",)), tool="pay", **options)
    return graph(pay, compute("mail", "pay", when="pay.amount > 1"))


SHOP = shop()


def in_doubt(driver: Driver, g: Graph = SHOP, value: object = 1, run_key: str = "") -> str:
    """A run whose payment was sent and never answered."""
    driver.handlers |= {"pay": lambda work: LOST, "mail": lambda work: "sent"}
    run = driver.start(g, value, run_key).run_id
    driver.play(g)
    assert driver.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    return run
