"""W1: a chain of 20 trivial steps, one run in flight; the latency of one step (T1) and what it asks of the servers (T7).

Two shapes: the engine driven in this process, which is the mechanism alone, and the worker as it is deployed, with two child
processes under Celery on Redis. With `hop` no step is continued where the one before was executed (T1d). The embedded
default, SQLite without a broker, is compared with DBOS on SQLite (T1c).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import redis

from benchmarks.agents import EFFECTS, LONG, READS
from benchmarks.figures import Figure, Target, percentile
from benchmarks.fleet import Fleet
from benchmarks.floors import commit_floor, hop_floor, sqlite_floor
from benchmarks.marks import gaps
from benchmarks.mechanism import Counts, Mechanism
from benchmarks.peers.celery import CeleryChain
from benchmarks.peers.dbos import Dbos
from benchmarks.session import Session

WARM = 3


def measure(session: Session) -> list[Figure]:
    """All figures of W1."""
    return [*_on_postgres(session), *_counts(session), *_embedded(session)]


def _on_postgres(session: Session) -> list[Figure]:
    alone = Figure("T1m", "chain step of reads, engine alone, p50", "ms")
    alone_effects = Figure("T1e", "chain step of effects, engine alone, p50", "ms")
    reads = Figure("T1", "chain step, p50", "ms", targets=(Target(3.0, "commit_floor"), Target(0.5, "dbos_pg")))
    late = Figure("T1b", "chain step, p99", "ms", targets=(Target(0.6, "dbos_pg"),))
    effects = Figure("T1f", "chain step of effects, p50", "ms", targets=(Target(0.5, "dbos_pg"),))
    hops = Figure("T1d", "chain step that must hop, p50", "ms", targets=(Target(1.2, "celery_chain"),))
    places, runs = session.places, session.pick(40, 15)
    with ExitStack() as stack:
        ground = places.empty_postgres()
        engine = stack.enter_context(Mechanism(places.postgres()))
        fleet = stack.enter_context(Fleet(places, places.postgres(), places.broker()))
        hopping = stack.enter_context(Fleet(places, places.postgres(), places.broker(), hop=True))
        celery = stack.enter_context(CeleryChain(places))
        python = session.dbos()
        other = stack.enter_context(Dbos(places, python, places.empty_postgres(), "dbos_pg")) if python else None
        floor = beside(lambda: commit_floor(ground, session.pick(200, 100)))
        engine.chain(READS, WARM)
        engine.chain(EFFECTS, WARM)
        for one in (fleet, hopping):
            one.run(READS, WARM)
        fleet.run(EFFECTS, WARM)
        celery.run(LONG, WARM)
        if other:
            sequence(other, WARM)
        for _ in session.rounds("W1 on PostgreSQL", 5, 2, 150):
            theirs = sequence(other, runs) if other else None
            dbos, dbos_late = (statistics.median(theirs), percentile(theirs, 0.99)) if theirs else (None, None)
            spent = time.process_time()
            value, commit = floor(lambda: engine.chain(READS, runs))
            alone.notes["CPU of Python per step, start of the run included, ms"] = round(
                (time.process_time() - spent) * 1e3 / (runs * LONG), 3
            )
            alone.add(statistics.median(value), {"commit_floor": commit, "dbos_pg": dbos})
            value, commit = floor(lambda: engine.chain(EFFECTS, runs))
            alone_effects.add(statistics.median(value), {"commit_floor": commit, "dbos_pg": dbos})
            chained = statistics.median(gaps(celery.run(LONG, runs)))
            value, commit = floor(lambda: gaps(fleet.run(READS, runs)))
            reads.add(statistics.median(value), {"commit_floor": commit, "dbos_pg": dbos, "celery_chain": chained})
            late.add(percentile(value, 0.99), {"dbos_pg": dbos_late})
            value, commit = floor(lambda: gaps(fleet.run(EFFECTS, runs)))
            effects.add(statistics.median(value), {"commit_floor": commit, "dbos_pg": dbos, "celery_chain": chained})
            hop = hop_floor(ground, places.broker(), session.pick(400, 200))
            value = gaps(hopping.run(READS, runs))
            chained = statistics.median([chained, statistics.median(gaps(celery.run(LONG, runs)))])
            hops.add(statistics.median(value), {"hop_floor": hop, "celery_chain": chained, "dbos_pg": dbos})
    return [reads, late, effects, hops, alone, alone_effects]


def _embedded(session: Session) -> list[Figure]:
    figure = Figure("T1c", "chain step on SQLite without a broker, p50", "ms", targets=(Target(0.5, "dbos_sqlite"),))
    figure.notes["commit_floor"] = "SQLite's own commit, WAL, synchronous=FULL"
    places, runs = session.places, session.pick(40, 15)
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(places, places.sqlite()))
        python = session.dbos()
        url = f"sqlite:///{places.file('dbos.sqlite3')}"
        other = stack.enter_context(Dbos(places, python, url, "dbos_sqlite")) if python else None
        ground = places.file("floor.sqlite3")
        floor = beside(lambda: sqlite_floor(ground, session.pick(200, 100)))
        fleet.run(READS, WARM)
        if other:
            sequence(other, WARM)
        for _ in session.rounds("W1 on SQLite", 5, 2, 60):
            dbos = statistics.median(sequence(other, runs)) if other else None
            value, commit = floor(lambda: gaps(fleet.run(READS, runs)))
            figure.add(statistics.median(value), {"commit_floor": commit, "dbos_sqlite": dbos})
    return [figure]


def _counts(session: Session) -> list[Figure]:
    """T7: counts do not depend on load, so one round says everything."""
    session.say("W1, counts per step")
    runs = session.pick(50, 20)
    places = session.places
    with Mechanism(places.postgres()) as engine:
        engine.chain(READS, WARM)
        counts = engine.counted(READS, runs, places.admin)
        of_effects = engine.counted(EFFECTS, runs, places.admin)
    with Fleet(places, places.postgres(), broker := places.broker()) as fleet:
        fleet.run(READS, WARM)
        before = _sent(broker)
        fleet.run(READS, runs)
        messages = (_sent(broker) - before) / (runs * LONG)
    figures = [
        Figure("T7x", "transactions per step", "", targets=(Target(1.1),)),
        Figure("T7s", "syncs of the log per step", "", targets=(Target(1.1),)),
        Figure("T7r", "round trips per step", "", targets=(Target(3.0),)),
        Figure("T7m", "broker messages per step, those that start the runs included", "", targets=(Target(0.05),)),
    ]
    for figure, value in zip(figures, (*_timeless(counts), messages), strict=True):
        figure.add(value)
    for figure, value in zip(figures, _timeless(of_effects), strict=False):
        figure.notes["of an effect"] = round(value, 3)
    figures[1].notes["bytes of the log per step"] = round(counts.wal_bytes)
    return figures


def _timeless(counts: Counts) -> tuple[float, float, float]:
    return counts.transactions, counts.syncs, counts.round_trips


def sequence(other: Dbos, runs: int) -> list[float]:
    """DBOS's gaps of workflows one after the other."""
    other.ask("sequence", other.names(runs), LONG)
    return gaps(other.marks.take())


def beside(floor: Callable[[], float]) -> Callable[[Callable[[], list[float]]], tuple[list[float], float]]:
    """Measure with the floor right before and right after; gives what was measured, and the floor's mean."""

    def measured(act: Callable[[], list[float]]) -> tuple[list[float], float]:
        before = floor()
        value = act()
        return value, (before + floor()) / 2

    return measured


def _sent(broker: str) -> int:
    """Messages that went into any list of the broker so far."""
    with redis.Redis.from_url(broker) as connection:
        stats = connection.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("lpush", "rpush"))
