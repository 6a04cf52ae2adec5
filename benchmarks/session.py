"""One run of the benchmarks: where it happens, how long rounds are, who takes part, and what is said meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.machine import Meter
from benchmarks.peers import dbos
from benchmarks.places import Places

NOT_INSTALLED = {
    "restate": "its server is a binary from npm, which this command does not install",
    "celery_chord": "nothing here fans out",
}


@dataclass
class Session:
    """`quick` makes everything short enough to look at while developing; its figures are no evidence."""

    places: Places
    quick: bool = False
    skipped: dict[str, str] = field(default_factory=lambda: dict(NOT_INSTALLED))
    peer_versions: dict[str, str] = field(default_factory=dict)
    _python: str | None = None

    def __post_init__(self) -> None:
        self.meter = Meter(self.places.folder)
        self._began = time.monotonic()

    def pick(self, full: int, quick: int) -> int:
        """A number of rounds or runs."""
        return quick if self.quick else full

    def rounds(self, name: str, full: int, quick: int, seconds: float) -> Iterator[int]:
        """The numbers of the rounds; on a busy machine there are fewer, because none begins after so many seconds."""
        count = self.pick(full, quick)
        began = time.monotonic()
        for number in range(count):
            if number and time.monotonic() - began > seconds:
                self.say(f"{name}: the other rounds are left out, this machine is busy")
                return
            self.say(f"{name}, round {number + 1} of {count}")
            yield number

    def say(self, text: str) -> None:
        """Progress, with the seconds since the beginning and the load of others in cores."""
        load = f"{self.meter.foreign:4.1f}" if self.meter.known else "   ?"
        print(f"[{time.monotonic() - self._began:5.0f} s, others {load}] {text}", file=sys.stderr, flush=True)

    def dbos(self) -> str | None:
        """The interpreter that has DBOS; None (and a reason in `skipped`) when it cannot be had."""
        if self._python is None and "dbos_pg" not in self.skipped:
            self.say("looking for DBOS")
            try:
                self._python = dbos.install()
                self.peer_versions["dbos"] = dbos.version(self._python)
            except dbos.UnavailablePeerError as error:
                self.skipped |= {"dbos_pg": str(error), "dbos_sqlite": str(error)}
        return self._python
