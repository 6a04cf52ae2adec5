"""A worker's parts in one process, with workflows that book: for tests of transaction nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.utils import ConnectionHandler
from pydantic import BaseModel

from engine_driver import Driver, register
from nexum.client.start import StartRequest, start
from nexum.engine.work import Outcome, Work
from nexum.sdk.policies import Retry
from nexum.sdk.tx import Tx
from nexum.sdk.workflow import Workflow
from nexum.store.connect import open_store
from nexum.store.django import alias_of, database_settings
from nexum_workers import django as ours
from nexum_workers.attempt import Attempts
from nexum_workers.early import Early
from nexum_workers.models.door import Door
from nexum_workers.transacting import Transacting

SHOP, OTHER = "ledger", "elsewhere"
ACTS: dict[str, Callable[..., Any]] = {}


class Order(BaseModel):
    number: str


class Booking(BaseModel):
    number: str
    row: int


flow = Workflow("Books", input=Order)


@flow.transaction(retry=Retry(max_attempts=2))
def book(order: Order) -> Booking:
    return ACTS["book"](order)


@flow.effect(tool="mail")
def tell(book: Booking) -> str:
    return "told"


BOOKS = flow.build()
own = Workflow("OwnBooks", input=Order)


@own.transaction()
def enter(order: Order, tx: Tx) -> Booking:
    return ACTS["enter"](order, tx)


OWN = own.build()


pair = Workflow("Pair", input=Order)


@pair.transaction()
def left(order: Order) -> Booking:
    return write(order)


@pair.transaction()
def right(order: Order) -> Booking:
    return write(order)


PAIR = pair.build()


def write(order: Order, alias: str = SHOP) -> Booking:
    with connections[alias].cursor() as cursor:
        cursor.execute("INSERT INTO bookings (number) VALUES (%s)", [order.number])
    return Booking(number=order.number, row=1)


class Desk:
    """A worker's parts in this process: an engine, an executor, and Django on the engine's database."""

    def __init__(self, url: str, session: str = "s1") -> None:
        self.driver = Driver(open_store(url), session=session)
        self.url = url
        executor = partial(Attempts, [BOOKS, OWN, PAIR], door=Door(), max_payload=10_000)
        self.attempts = executor(around=ours.around_handlers(), transacting=Transacting(url, alias_of(url, SHOP)))

    def begin(self, workflow: Any = BOOKS) -> tuple[str, Work]:
        """A run whose first task is claimed."""
        register(self.driver.store, workflow.graph)
        run = start(self.driver.store, StartRequest(workflow.name, {"number": "o-1"})).run_id
        (work,) = self.driver.claim(workflow.graph)
        return run, work

    def execute(self, work: Work) -> Outcome:
        """One attempt."""
        return self.attempts.execute(work, lambda _: None, Early(self.driver.engine, work, inline_max=1_000))

    def go_on(self, work: Work) -> Work | None:
        """One attempt, and what comes of it."""
        return self.driver.engine.finish(work, self.execute(work))

    def rows(self) -> int:
        """How many bookings there are, for everybody to see."""
        with self.driver.store.database.once() as tx:  # type: ignore[attr-defined]
            return int(tx.execute("SELECT count(*) FROM bookings").fetchone()[0])

    def ends(self, run: str) -> list[tuple[str, str]]:
        """What became of each attempt of the transaction node."""
        ended = ("NodeCompleted", "AttemptFailed", "NodeFailed", "NodeCancelled")
        return [(e.type, e.path) for e in self.driver.events(run) if e.type in ended and e.path in ("book", "enter")]


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Desk]:
    """A desk on a database that Django knows, with an empty table of bookings there and in another database."""
    elsewhere = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "other.sqlite3")}
    dummy = {"default": {"ENGINE": "django.db.backends.dummy"}}
    entry = ConnectionHandler({**dummy, SHOP: database_settings(url), OTHER: elsewhere})
    for alias in (SHOP, OTHER):
        connections.settings[alias] = entry.settings[alias]
        with connections[alias].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS bookings")
            cursor.execute("CREATE TABLE bookings (number varchar(20))")
    ACTS.update(book=write)
    made = Desk(url)
    try:
        yield made
    finally:
        made.driver.store.close()
        for alias in (SHOP, OTHER):
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]
