"""The engine driven in this process, without worker, Celery or handlers: what one step of the protocol costs, and counts.

Between two steps lies nothing but `Engine.finish`, so a step's latency is the time of one call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg2

from benchmarks.fleet import register
from nexum.broker.doorbell import NullDoorbell
from nexum.client.start import StartRequest, start
from nexum.engine.engine import Engine
from nexum.engine.work import Succeeded, Work
from nexum.sdk.compiled import CompiledWorkflow
from nexum.store.connect import open_store
from nexum.store.shapes import SessionRow
from nexum.store.statement import Transaction

DONE = Succeeded(b'{"ok":true}')
LEASE = 3_600_000_000  # the loop does not beat
STATISTICS_SECONDS = 1.2  # a backend reports what it did at most once a second


@dataclass(frozen=True, slots=True)
class Counts:
    """Per step, independent of hardware; `wal_bytes` excepted, which depend on checkpoints."""

    transactions: float
    syncs: float
    round_trips: float
    wal_bytes: float


class Mechanism:
    """A session that executes runs by itself."""

    def __init__(self, url: str, session: str = "bench") -> None:
        self.url = url
        self.session = session
        self.store = open_store(url)
        self.engine = Engine(self.store, session=session, doorbell=NullDoorbell())

    def __enter__(self) -> Self:
        register(self.store)
        now = self.store.now()
        self.store.open_session(SessionRow(self.session, "worker", "bench", 1, 1, (), 1, now, now, 0, "LIVE", LEASE))
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def begin(self, compiled: CompiledWorkflow[Any], value: object = None) -> Work:
        """Start a run and claim its first step. Raises `RuntimeError` when there is none."""
        given = {"number": 1} if value is None else value
        run_id = start(self.store, StartRequest(compiled.name, given)).run_id
        for claimed in self.store.claim(self.session, [compiled.graph.queue], 1):
            work = self.engine.begin(claimed)
            if work is not None and work.task.run_id == run_id:
                return work
        raise RuntimeError(f"the first step of run {run_id} could not be claimed")

    def steps(self, work: Work | None) -> Iterator[float]:
        """Execute a run to its end; gives the milliseconds of each step but the last, which closes the run."""
        while work is not None:
            began = time.perf_counter()
            work = self.engine.finish(work, DONE)
            spent = time.perf_counter() - began
            if work is not None:
                yield spent * 1e3

    def chain(self, compiled: CompiledWorkflow[Any], runs: int) -> list[float]:
        """The steps of runs one after the other, milliseconds."""
        return [spent for _ in range(runs) for spent in self.steps(self.begin(compiled))]

    def counted(self, compiled: CompiledWorkflow[Any], runs: int, server_url: str) -> Counts:
        """What the steps between the first claim and the end of the runs ask of PostgreSQL."""
        works = [self.begin(compiled) for _ in range(runs)]
        before = self._statistics(server_url)
        with round_trips() as trips:
            steps = sum(1 + sum(1 for _ in self.steps(work)) for work in works)
            made = trips.count
        after = self._statistics(server_url)
        transactions, syncs, wal = (after[i] - before[i] for i in range(3))
        return Counts(transactions / steps, syncs / steps, made / steps, wal / steps)

    def _statistics(self, server_url: str) -> tuple[int, int, int]:
        time.sleep(STATISTICS_SECONDS)
        self.store.now()  # an idle backend reports with its next statement
        return statistics(server_url, self.url)


@dataclass(slots=True)
class Trips:
    """How many statements went to the server."""

    count: int = 0


@contextmanager
def round_trips() -> Iterator[Trips]:
    """Count the statements of all stores of this process; each is one message to the server and one answer."""
    trips = Trips()
    execute = Transaction.execute

    def counting(self: Transaction, sql: str | bytes, values: Any = None) -> Any:
        trips.count += 1
        return execute(self, sql, values)

    Transaction.execute = counting  # type: ignore[method-assign]
    try:
        yield trips
    finally:
        Transaction.execute = execute  # type: ignore[method-assign]


def statistics(server_url: str, url: str) -> tuple[int, int, int]:
    """Committed transactions of one database; syncs and bytes of the write-ahead log of the server."""
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = %s", (url.rpartition("/")[2],))
            (transactions,) = cursor.fetchone() or (0,)
            cursor.execute(f"SELECT {_syncs(connection.server_version)}, wal_bytes FROM pg_stat_wal")
            syncs, wal = cursor.fetchone() or (0, 0)
            return int(transactions), int(syncs), int(wal)
    finally:
        connection.close()


def _syncs(version: int) -> str:
    """From PostgreSQL 18 on the syncs are counted beside all other input and output."""
    return "wal_sync" if version < 180_000 else "(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')"
