"""A Celery worker of two processes on Redis, and chains sent to it from here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

import redis

from benchmarks.marks import FILE, Mark, Marks
from benchmarks.peers import celery_app
from benchmarks.places import ROOT, Places

WORKER = ("-m", "celery", "-A", "benchmarks.peers.celery_app", "worker", "--pool", "prefork", "--concurrency", "2")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")


class CeleryChain:
    """Enter it to have a worker. All of them use one broker, emptied first; only one may be entered at a time."""

    def __init__(self, places: Places) -> None:
        self.marks = Marks(places.file("marks-celery"))
        self._broker = places.redis
        self._log = places.file("celery.log")
        self._numbers = 0

    def __enter__(self) -> Self:
        with redis.Redis.from_url(self._broker) as connection:
            connection.flushdb()
        celery_app.app.conf.update(broker_url=self._broker, result_backend=self._broker)
        address = {"CELERY_BROKER_URL": self._broker, "CELERY_RESULT_BACKEND": self._broker}
        with self._log.open("wb") as out:
            self._worker = subprocess.Popen(
                [sys.executable, *WORKER, *QUIET],
                cwd=ROOT,
                env={**os.environ, **address, FILE: str(self.marks.path)},
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
        celery_app.start(run, length)
        return run

    def run(self, length: int, runs: int, *, seconds: float = 30.0) -> list[Mark]:
        """Chains one after the other."""
        found: list[Mark] = []
        for _ in range(runs):
            self.start(length)
            found += self.marks.wait(length, seconds)
        return found
