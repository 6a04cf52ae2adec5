"""W2: 500 runs of 10 steps started at once; steps per second (T2) and CPU time per step over the whole machine (T6).

The clock runs from the first call of `start` to the last step, so starting is part of it, as it is for the peers. One
contestant is alive at a time. CPU time is that of the contestant, its servers and whoever started its runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.agents import MANY, SHORT
from benchmarks.figures import HIGHER, Figure, Target
from benchmarks.fleet import Fleet
from benchmarks.marks import Mark
from benchmarks.peers.celery import CeleryChain
from benchmarks.peers.dbos import Dbos
from benchmarks.session import Session

SECONDS = 240.0


def measure(session: Session) -> list[Figure]:
    """Throughput and CPU time."""
    rate = Figure("T2", "many chains at once", "steps/s", HIGHER, targets=(Target(4.0, "dbos_pg"),))
    cpu = Figure("T6", "CPU of the machine per step", "ms", targets=(Target(0.5, "celery_chain"),))
    runs = session.pick(500, 100)
    python = session.dbos()
    for _ in session.rounds("W2", 3, 1, 90):
        ours = _nexum(session, runs)
        celery = _celery(session, runs)
        dbos = _dbos(session, python, runs) if python else (None, None)
        rate.add(ours[0], {"celery_chain": celery[0], "dbos_pg": dbos[0]})
        cpu.add(ours[1], {"celery_chain": celery[1], "dbos_pg": dbos[1]})
    rate.notes["runs"] = runs
    return [rate, cpu]


def _nexum(session: Session, runs: int) -> tuple[float, float]:
    places = session.places
    with Fleet(places, places.postgres(), places.broker()) as fleet:
        fleet.run(MANY, 2)

        def act() -> tuple[int, list[Mark]]:
            began = time.monotonic_ns()
            for _ in range(runs):
                fleet.start(MANY)
            return began, fleet.marks.wait(runs * SHORT, SECONDS, pause=0.05)

        return _rates(session, act)


def _celery(session: Session, runs: int) -> tuple[float, float]:
    with CeleryChain(session.places) as celery:
        celery.run(SHORT, 2)

        def act() -> tuple[int, list[Mark]]:
            began = time.monotonic_ns()
            for _ in range(runs):
                celery.start(SHORT)
            return began, celery.marks.wait(runs * SHORT, SECONDS, pause=0.05)

        return _rates(session, act)


def _dbos(session: Session, python: str, runs: int) -> tuple[float, float]:
    places = session.places
    with Dbos(places, python, places.empty_postgres(), "dbos_pg") as dbos:
        dbos.ask("sequence", dbos.names(2), SHORT)
        dbos.marks.take()

        def act() -> tuple[int, list[Mark]]:
            answer = dbos.ask("at_once", dbos.names(runs), SHORT)
            return int(answer["began"]), dbos.marks.wait(runs * SHORT, 1.0)

        return _rates(session, act)


def _rates(session: Session, act: Callable[[], tuple[int, list[Mark]]]) -> tuple[float, float]:
    """Steps per second, and milliseconds of CPU per step."""
    cpu = session.meter.ours
    began, marks = act()
    cpu = session.meter.ours - cpu
    seconds = (max(mark.ns for mark in marks) - began) / 1e9
    return len(marks) / seconds, cpu * 1e3 / len(marks)
