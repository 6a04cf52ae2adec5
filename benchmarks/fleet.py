"""Nexum as it is deployed: a database, a broker or none, one worker with its child processes, and runs started from here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.agents import WORKFLOWS
from benchmarks.marks import FILE, Mark, Marks
from benchmarks.places import ROOT, Places
from nexum.broker.connect import open_doorbell
from nexum.client.start import StartRequest, start
from nexum.sdk.compiled import CompiledWorkflow
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.shapes import VersionRow

READY_SECONDS = 30.0


def register(store: Store) -> None:
    """Make the benchmarks' workflows the default versions."""
    for compiled in WORKFLOWS:
        row = VersionRow(compiled.name, compiled.version, "default", compiled.graph.data, "", "", "bench", 0)
        store.register(row, make_default=True)


class Fleet:
    """Enter it to have a worker that has executed its first runs. `broker` may be empty, `hop` forbids inline continuation."""

    def __init__(self, places: Places, url: str, broker: str = "", *, processes: int = 2, hop: bool = False) -> None:
        self.url = url
        self.broker = broker
        self.marks = Marks(places.file("marks"))
        self.store = open_store(url)
        self._log = places.file("worker.log")
        self._processes = processes
        self._hop = hop
        self._worker: subprocess.Popen[bytes] | None = None
        self._started = 0

    def __enter__(self) -> Self:
        register(self.store)
        self.doorbell = open_doorbell(self.url, self.broker)
        self.work()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.doorbell.close()
        self.store.close()

    def work(self) -> None:
        """Start a worker."""
        with self._log.open("ab") as out:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", self.url, self.broker, str(self._processes)]
                + (["hop"] if self._hop else []),
                cwd=ROOT,
                env={**os.environ, FILE: str(self.marks.path)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self) -> None:
        """`kill -9` of the worker and its children."""
        if self._worker is not None:
            os.killpg(self._worker.pid, signal.SIGKILL)
            self._worker.wait(10)
            self._worker = None

    def start(self, compiled: CompiledWorkflow[Any]) -> str:
        """Start a run; gives its id."""
        self._started += 1
        request = StartRequest(compiled.name, {"number": self._started})
        return start(self.store, request, doorbell=self.doorbell).run_id

    def run(self, compiled: CompiledWorkflow[Any], runs: int, *, seconds: float = READY_SECONDS) -> list[Mark]:
        """Runs one after the other, each started when the last step of the one before has begun."""
        length = len(compiled.graph.nodes)
        found: list[Mark] = []
        for _ in range(runs):
            self.start(compiled)
            try:
                found += self.marks.wait(length, seconds)
            except TimeoutError as error:
                error.add_note(f"the worker's last words: {self.words()!r}")
                raise
        return found

    def unfinished(self, run_ids: Sequence[str], seconds: float) -> int:
        """How many of these runs are not completed after at most so many seconds."""
        waiting = list(run_ids)
        until = time.monotonic() + seconds
        while waiting and time.monotonic() < until:
            waiting = [run_id for run_id in waiting if not self._is_completed(run_id)]
            time.sleep(0.05 if waiting else 0)
        return len(waiting)

    def words(self) -> str:
        """The end of what the worker has written."""
        return self._log.read_text(errors="replace")[-1500:]

    def _is_completed(self, run_id: str) -> bool:
        head = self.store.head(run_id)
        return head is not None and head.status == "COMPLETED"
