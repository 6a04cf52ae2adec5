"""A run whose payment was sent and never answered, and a provider that can be asked, for every test about doubt."""

from __future__ import annotations

from typing import Any

from engine_driver import Driver
from graphs import compute, graph, params
from nexum.core.canonical import canonical_bytes
from nexum.core.graph.nodes import Effect, Handler, Reconciliation
from nexum.core.graph.policies import Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error
from nexum.core.run.state import CellStatus
from nexum.engine.work import Failed, Succeeded
from nexum.store.api import SessionRow

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


FOUND = Succeeded(canonical_bytes({"id": "re_3", "amount": 42}), reference="re_3", answer="found")
ABSENT = Succeeded(b"null", answer="not_found")
UNSURE = Succeeded(b'"the list is incomplete"', answer="cannot_tell")


def asked(settle: int = 0, gap: int = 0, retry: RetryPolicy = ONE_ATTEMPT, **more: Any) -> Graph:
    """A shop that asks its provider."""
    how = Reconciliation(handler=Handler(ref="m:find"), params=params(("input",)), settle=settle, gap=gap, retry=retry)
    return shop(reconcile=how, **more)


def provider(driver: Driver, *answers: Succeeded | Failed, lost: int = 1) -> None:
    """Loses the first requests, then takes them; asked, it answers one after the other, the last one for ever."""
    left = list(answers)
    losses = iter([LOST] * lost)
    driver.handlers["pay"] = lambda work: next(losses, {"id": "re_9", "amount": 9})
    driver.handlers["pay/reconcile"] = lambda work: left.pop(0) if len(left) > 1 else left[0]
    driver.handlers["mail"] = lambda work: "sent"


def serve(driver: Driver, g: Graph, session: str = "server") -> None:
    """A live worker, as far as the database knows, that serves a graph's queue."""
    now = driver.store.now()
    lease = 3_600_000_000
    driver.store.open_session(SessionRow(session, "worker", "here", 1, 1, (g.queue,), 1, now, now, 0, "LIVE", lease))
