"""W4: from the call of `start` in one process to the first step in another (T4)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.agents import MANY, SHORT
from benchmarks.figures import Figure, Target, percentile
from benchmarks.fleet import Fleet
from benchmarks.marks import Mark, by_run
from benchmarks.peers.celery import CeleryChain
from benchmarks.peers.dbos import Dbos
from benchmarks.session import Session


def measure(session: Session) -> list[Figure]:
    """The median, and the 99th percentile."""
    start = Figure("T4", "start to first step, p50", "ms", targets=(Target(5.0), Target(0.4, "dbos_pg")))
    late = Figure("T4b", "start to first step, p99", "ms")
    start.notes["dbos_pg"] = "through a queue that is polled every 10 ms"
    places, runs = session.places, session.pick(60, 20)
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(places, places.postgres(), places.broker()))
        celery = stack.enter_context(CeleryChain(places))
        fleet.run(MANY, 3)
        celery.run(SHORT, 3)
        python = session.dbos()
        for _ in session.rounds("W4", 3, 1, 40):
            ours, called = zip(*(_first(lambda: fleet.start(MANY), fleet.marks.wait) for _ in range(runs)), strict=True)
            chained = [_first(lambda: celery.start(SHORT), celery.marks.wait)[0] for _ in range(runs)]
            start.notes["of it the call of start, ms"] = round(statistics.median(called), 2)
            queued = _dbos(session, python, runs) if python else None
            peers = {"celery_chain": statistics.median(chained)}
            start.add(statistics.median(ours), peers | ({"dbos_pg": statistics.median(queued)} if queued else {}))
            peers = {"celery_chain": percentile(chained, 0.99)}
            late.add(percentile(ours, 0.99), peers | ({"dbos_pg": percentile(queued, 0.99)} if queued else {}))
    return [start, late]


def _first(start: Callable[[], str], wait: Callable[[int, float], list[Mark]]) -> tuple[float, float]:
    """Milliseconds from the call to the first mark of its run, and to the call's return; waits for the end of the run."""
    began = time.monotonic_ns()
    start()
    returned = time.monotonic_ns()
    marks = wait(SHORT, 30.0)
    return (min(mark.ns for mark in marks) - began) / 1e6, (returned - began) / 1e6


def _dbos(session: Session, python: str, runs: int) -> list[float]:
    places = session.places
    with Dbos(places, python, places.empty_postgres(), "dbos_pg", queue=True) as dbos:
        dbos.ask("queued", dbos.names(3), SHORT)
        dbos.marks.take()
        names = dbos.names(runs)
        began = dbos.ask("queued", names, SHORT)["began"]
        first = {run: marks[0].ns for run, marks in by_run(dbos.marks.take()).items()}
        return [(first[name] - at) / 1e6 for name, at in zip(names, began, strict=True)]
