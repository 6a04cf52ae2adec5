"""A Celery worker of two processes on Redis, and chains sent to it from here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from benchmarks.marks import FILE, Mark, Marks
from benchmarks.places import ROOT, Places

WORKER = ("-m", "celery", "-A", "benchmarks.peers.celery_app", "worker", "--pool", "prefork", "--concurrency", "2")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")


class CeleryChain:
    """Enter it to have a worker."""

    def __init__(self, places: Places) -> None:
        self.marks = Marks(places.file("marks-celery"))
        self._broker = places.broker()
        self._log = places.file("celery.log")
        self._numbers = 0

    def __enter__(self) -> Self:
        os.environ["BENCH_BROKER"] = self._broker  # the app reads it where it is imported, here and in the worker
        self._app: Any = import_module("benchmarks.peers.celery_app")
        with self._log.open("wb") as out:
            self._worker = subprocess.Popen(
                [sys.executable, *WORKER, *QUIET],
                cwd=ROOT,
                env={**os.environ, FILE: str(self.marks.path)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._worker.pid, signal.SIGKILL)
        self._worker.wait(10)

    def start(self, length: int) -> str:
        """Send one chain; gives the name of its run."""
        self._numbers += 1
        run = f"c{self._numbers}"
        self._app.start(run, length)
        return run

    def run(self, length: int, runs: int, *, seconds: float = 30.0) -> list[Mark]:
        """Chains one after the other."""
        found: list[Mark] = []
        for _ in range(runs):
            self.start(length)
            found += self.marks.wait(length, seconds)
        return found
