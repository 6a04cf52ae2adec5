"""W5: 200 runs of 20 effects in flight, the worker killed by `kill -9` at 40 %, started again at once (T5).

What counts is what the steps themselves wrote: a step that was executed twice is a duplicate, a run that does not complete
is lost. A scheduler runs beside the worker and is not killed; leases and its pace are the defaults.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.agents import EFFECTS, LONG
from benchmarks.figures import Figure, Target
from benchmarks.fleet import Fleet
from benchmarks.marks import Mark, Marks, repeated
from benchmarks.peers.dbos import Dbos
from benchmarks.places import ROOT
from benchmarks.session import Session

SECONDS = 120.0
PROCESSES = 2  # each executes one `def` handler at a time


@dataclass(frozen=True, slots=True)
class Recovery:
    """What happened after the kill; times in seconds."""

    first: float
    complete: float
    repeated: int
    lost: int


def measure(session: Session) -> list[Figure]:
    """Loss, duplicates and time."""
    lost = Figure("T5l", "runs lost after kill -9", "runs", targets=(Target(0),))
    twice = Figure("T5d", "steps executed twice after kill -9", "steps", targets=(Target(PROCESSES),))
    first = Figure("T5f", "kill -9 to the next step", "s")
    complete = Figure("T5", "kill -9 to all complete", "s", targets=(Target(0.5, "dbos_pg"),))
    runs = session.pick(200, 50)
    python = session.dbos()
    for _ in session.rounds("W5", 2, 1, 60):
        ours = _nexum(session, runs)
        dbos = _dbos(session, python, runs) if python else None
        for figure, name in ((lost, "lost"), (twice, "repeated"), (first, "first"), (complete, "complete")):
            figure.add(getattr(ours, name), {"dbos_pg": getattr(dbos, name)} if dbos else {})
    return [complete, first, twice, lost]


def _nexum(session: Session, runs: int) -> Recovery:
    places = session.places
    url, broker = places.postgres(), places.broker()
    with Fleet(places, url, broker, processes=PROCESSES) as fleet, _scheduler(url, broker):
        fleet.run(EFFECTS, 2)
        names = [fleet.start(EFFECTS) for _ in range(runs)]
        before = _until(fleet.marks, runs * LONG * 2 // 5)
        fleet.kill()
        killed = time.monotonic_ns()
        fleet.work()
        after = _rest(fleet.marks, before, runs * LONG)
        lost = fleet.unfinished(names, 5.0)
        return _recovery(killed, before, [*after, *fleet.marks.take()], lost)


def _dbos(session: Session, python: str, runs: int) -> Recovery:
    places = session.places
    with Dbos(places, python, places.empty_postgres(), "dbos_pg") as dbos:
        dbos.ask("sequence", dbos.names(2), LONG)
        dbos.marks.take()
        names = dbos.names(runs)
        dbos.ask("begin", names, LONG)  # nobody may be killed before the last run is started
        before = _until(dbos.marks, runs * LONG * 2 // 5)
        dbos.kill()
        killed = time.monotonic_ns()
        dbos.work()
        after = _rest(dbos.marks, before, runs * LONG)
        left = runs
        until = time.monotonic() + 5
        while left and time.monotonic() < until:
            left = int(dbos.ask("unfinished", names, LONG)["unfinished"])
        return _recovery(killed, before, [*after, *dbos.marks.take()], left)


def _until(marks: Marks, count: int) -> list[Mark]:
    return marks.wait(count, SECONDS, pause=0.01)


def _rest(marks: Marks, before: list[Mark], count: int) -> list[Mark]:
    """Wait until every step has been executed, or nothing new has come for long."""
    seen = {(mark.run, mark.step) for mark in before}
    after: list[Mark] = []
    until = time.monotonic() + SECONDS
    while len(seen) < count and time.monotonic() < until:
        time.sleep(0.01)
        new = marks.take()
        after += new
        seen |= {(mark.run, mark.step) for mark in new}
    return after


def _recovery(killed: int, before: list[Mark], later: list[Mark], lost: int) -> Recovery:
    after = [mark for mark in later if mark.ns > killed]
    return Recovery(
        first=(min(mark.ns for mark in after) - killed) / 1e9,
        complete=(max(mark.ns for mark in after) - killed) / 1e9,
        repeated=repeated([*before, *later]),
        lost=lost,
    )


@contextmanager
def _scheduler(url: str, broker: str) -> Iterator[None]:
    """A scheduler beside the worker; it lives through the kill."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.scheduler", url, broker], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)
