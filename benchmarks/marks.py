"""The instrument: every step of every contestant appends one line when it starts. Only the standard library is used,
because DBOS runs in an environment of its own.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

FILE = "BENCH_MARKS"  # the variable that names the file to the processes under measurement

_open: dict[int, int] = {}


class Mark(NamedTuple):
    """A step of a run began at `ns` by CLOCK_MONOTONIC."""

    run: str
    step: int
    ns: int


def mark(run: str, step: int) -> None:
    """Append a line, at once and whole; the file is opened once in each process."""
    pid = os.getpid()
    if pid not in _open:
        _open[pid] = os.open(os.environ[FILE], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(_open[pid], f"{run} {step} {time.monotonic_ns()}\n".encode())


class Marks:
    """A file of marks, read from where the last reading ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        path.touch()

    def take(self) -> list[Mark]:
        """The marks that have come since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [read(line) for line in whole.decode().splitlines()]

    def wait(self, count: int, seconds: float, *, pause: float = 0.003) -> list[Mark]:
        """Take until there are `count` new marks. Raises `TimeoutError` with what came instead."""
        found = self.take()
        until = time.monotonic() + seconds
        while len(found) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(found)} of {count} steps were executed within {seconds:g} s")
            time.sleep(pause)
            found += self.take()
        return found


def read(line: str) -> Mark:
    """A line of the file."""
    run, step, ns = line.split(" ")
    return Mark(run, int(step), int(ns))


def by_run(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    """The marks of each run in the order of time."""
    runs: dict[str, list[Mark]] = defaultdict(list)
    for found in sorted(marks, key=lambda one: one.ns):
        runs[found.run].append(found)
    return dict(runs)


def gaps(marks: Iterable[Mark]) -> list[float]:
    """Milliseconds between the starts of consecutive steps of one run, over all runs."""
    return [(b.ns - a.ns) / 1e6 for run in by_run(marks).values() for a, b in pairwise(run)]


def repeated(marks: Iterable[Mark]) -> int:
    """How many executions were not the first of their step."""
    steps = [(one.run, one.step) for one in marks]
    return len(steps) - len(set(steps))
