"""A worker's parts in one process, with an effect that makes several calls, and a provider that writes down each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from engine_driver import Driver, register
from nexum.client.doubts import Decision, Resolved, resolve
from nexum.client.start import StartRequest, start
from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus
from nexum.engine.work import Outcome, Work
from nexum.sdk.io import IO
from nexum.sdk.policies import Dedupes, Retry
from nexum.sdk.workflow import Workflow
from nexum.store.api import EventRow, Store
from nexum_workers.attempt import Attempts
from nexum_workers.early import Early
from nexum_workers.models.door import Door

HOUR = Dedupes(ttl=timedelta(hours=1))
NOW = Retry(max_attempts=3, first_wait=timedelta(0), jitter=0)
ACTS: dict[str, Callable[..., Any]] = {}
SENT: list[tuple[str, str]] = []  # what, and under which key


class Order(BaseModel):
    number: str


class Receipt(BaseModel):
    id: str
    amount: int = 0


def charge(order: str, amount: int, *, idempotency_key: str = "") -> Receipt:
    """A provider: every call is an act."""
    SENT.append((f"charge {order} {amount}", idempotency_key))
    return Receipt(id=f"re_{len(SENT)}", amount=amount)


def mail(order: str) -> str:
    SENT.append((f"mail {order}", ""))
    return f"mailed {order}"


async def acharge(order: str, amount: int, *, idempotency_key: str = "") -> Receipt:
    return charge(order, amount, idempotency_key=idempotency_key)


flow = Workflow("Calls", input=Order)


@flow.effect(tool="bank", retry=NOW)
def book(order: Order, io: IO) -> Receipt:
    return ACTS["book"](order, io)


@flow.compute()
def count(book: Receipt) -> int:
    return book.amount


CALLS = flow.build()
aflow = Workflow("AsyncCalls", input=Order)


@aflow.effect(tool="bank", provider=HOUR, retry=NOW)
async def abook(order: Order, io: IO) -> Receipt:
    return await ACTS["abook"](order, io)


ASYNC = aflow.build()


kflow = Workflow("KeyedCalls", input=Order)


@kflow.effect(tool="bank", key="input.number", retry=NOW)
def once(order: Order, io: IO) -> Receipt:
    return ACTS["book"](order, io)


KEYED = kflow.build()


class Desk:
    """One session's engine and executor on a store."""

    def __init__(self, store: Store, session: str = "s1") -> None:
        self.driver = Driver(store, session=session)
        self.attempts = Attempts([CALLS, ASYNC, KEYED], door=Door(), max_payload=10_000)

    def start(self, workflow: Any = CALLS, number: str = "o-1") -> str:
        """Start a run; gives its id."""
        register(self.driver.store, workflow.graph)
        return start(self.driver.store, StartRequest(workflow.name, {"number": number})).run_id

    def begin(self, workflow: Any = CALLS) -> Work:
        """Claim what is ready."""
        (work,) = self.driver.claim(workflow.graph)
        return work

    def early(self, work: Work) -> Early:
        """An attempt's way to its journal."""
        return Early(self.driver.engine, work, inline_max=1_000)

    def execute(self, work: Work) -> Outcome:
        """One attempt."""
        early = self.early(work)
        if self.attempts.is_async(work):
            return asyncio.run(self.attempts.execute_async(work, lambda _: None, early))
        return self.attempts.execute(work, lambda _: None, early)

    def play(self, workflow: Any = CALLS) -> None:
        """Execute until nothing is ready."""
        while works := self.driver.claim(workflow.graph):
            following: Work | None = works[0]
            while following is not None:
                following = self.driver.engine.finish(following, self.execute(following))

    def die(self) -> None:
        """This process is dead, and its parent has seen it."""
        self.driver.store.end_session(self.driver.session, proof="killed")
        self.driver.sweep()

    def told(self, run: str) -> list[tuple[str, str]]:
        """What happened where, without what was scheduled."""
        return [(e.type, e.path) for e in self.events(run) if e.type not in ("NodeScheduled", "RunStarted")]

    def events(self, run: str) -> list[EventRow]:
        """A run's events."""
        return self.driver.events(run)

    def status(self, run: str, path: str) -> CellStatus:
        """Where a cell stands."""
        return self.driver.state(run).cells[Cell(path)].status

    def resolve(self, run: str, path: str, outcome: str, **more: Any) -> Resolved:
        """Somebody has found out."""
        decision = Decision(run, Cell(path), outcome, actor="mika", reason="the console says so", **more)
        return resolve(self.driver.store, decision)
