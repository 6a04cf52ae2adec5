"""Real worker processes on a real database, and what they did."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from errands import REGISTRY, Errand
from nexum.broker.connect import open_doorbell
from nexum.broker.doorbell import Doorbell
from nexum.broker.local import bell_directory
from nexum.client.start import StartRequest, start
from nexum.engine.sweep import Sweeper
from nexum.errors import UnavailableError
from nexum.store.api import SessionRow, Store, VersionRow
from nexum.store.connect import open_store
from nexum.testing.crash.kept import Kept

HERE = Path(__file__).parent
ROOT = HERE.parent
ROOMS = [str(ROOT), *(str(ROOT / room) for room in ("workers", "orchestrator", "dashboard", "migrations")), str(HERE)]

STACKS = signal.SIGVTALRM  # makes a worker and its children say where their threads are; free, unlike USR1 and USR2
SCRIPT = """
import faulthandler, json, logging, os, signal, sys
from nexum import logs
from nexum.settings import Settings
from nexum_workers.run import run_worker
from errands import REGISTRY
in_full = "LOGS_IN_FULL" in os.environ
logs.configure(logging.DEBUG if in_full else logging.INFO, as_json=in_full)
options = json.loads(sys.argv[1])
settings = Settings(**options.pop("settings"))
faulthandler.register(signal.SIGVTALRM)
sys.exit(run_worker(settings, REGISTRY, **options))
"""


SCHEDULER = """
import json, logging, sys
from nexum import logs
from nexum.settings import Settings
from nexum_orchestrator.scheduler import run_scheduler
logs.configure(logging.INFO, as_json=False)
sys.exit(run_scheduler(Settings(**json.loads(sys.argv[1]))))
"""


class Fleet:
    """A database with every errand registered, the workers started on it, and the log of acts."""

    def __init__(self, url: str, folder: Path, broker: str = "") -> None:
        self.url = url
        self.broker = broker
        self.folder = folder
        self.log = folder / "acts.log"
        self.log.touch()
        self.store: Store = open_store(url)
        self.doorbell: Doorbell = open_doorbell(url, broker)
        self.processes: list[subprocess.Popen[bytes]] = []
        for workflow in REGISTRY:
            row = VersionRow(workflow.name, workflow.version, "default", workflow.graph.data, "", "", "test", 0)
            self.store.register(row, make_default=True)

    def worker(self, *, env: dict[str, str] | None = None, **options: object) -> subprocess.Popen[bytes]:
        """Start a worker; `options` are those of `run_worker`, and `settings`."""
        settings = {**self.settings, **options.pop("settings", {})}  # type: ignore[dict-item]
        return self._process(SCRIPT, {"processes": 2, **options, "settings": settings}, env or {})

    def scheduler(self, *, env: dict[str, str] | None = None, **settings: object) -> subprocess.Popen[bytes]:
        """Start a scheduler with these settings."""
        return self._process(SCHEDULER, {**self.settings, "sweep_seconds": 0.1, **settings}, env or {})

    @property
    def settings(self) -> dict[str, object]:
        """What every process of the fleet is given."""
        return {"database": self.url, "broker": self.broker or "none", "lease_seconds": 3}

    def _process(self, script: str, given: dict[str, object], env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"process-{len(self.processes)}.txt").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", script, json.dumps(given)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(ROOMS), "ERRANDS_LOG": str(self.log), **env},
                stdout=out,
                stderr=out,
            )
        self.processes.append(process)
        return process

    def ended(self, process: subprocess.Popen[bytes], seconds: float) -> int:
        """Wait for a worker to end; gives its exit code. Fails with what its processes were doing when it does not."""
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended after {seconds} s\n{self.stacks(process)}") from None

    def stacks(self, process: subprocess.Popen[bytes]) -> str:
        """What a worker has written, last of all where each thread of each of its processes stands."""
        family = _family(process.pid)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, STACKS)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)  # for the stacks to be written
        return f"processes {family}; output:\n{self.output(self.processes.index(process))}"

    def output(self, number: int = 0) -> str:
        """What the process that was started as this one has written."""
        return (self.folder / f"process-{number}.txt").read_text()

    def lines(self, number: int = 0) -> list[dict[str, Any]]:
        """The log lines of a worker that was started with LOGS_IN_FULL, read."""
        return [json.loads(line) for line in self.output(number).splitlines() if line.startswith("{")]

    def start(self, workflow: str, name: str, *, key: str = "", **more: object) -> str:
        """Start a run; gives its id."""
        errand = Errand(name=name, **more)  # type: ignore[arg-type]
        request = StartRequest(workflow, errand.model_dump(), run_key=key)
        return start(self.store, request, doorbell=self.doorbell).run_id

    def status(self, run_id: str) -> str:
        """Where a run stands."""
        try:
            head = self.store.head(run_id)
        except UnavailableError:  # tests cut connections on purpose, this one too
            return ""
        assert head is not None
        return head.status

    def acts(self, word: str) -> list[list[str]]:
        """The lines of the log that begin with this word, split."""
        lines = (line.split(" ") for line in self.log.read_text().splitlines())
        return [line for line in lines if line[0] == word]

    def events(self, run_id: str) -> list[str]:
        """The types of a run's events."""
        return [event.type for event in self.store.events_after(run_id, 0)]

    def sessions(self, *states: str) -> list[SessionRow]:
        """The workers' sessions in these states (default: live ones)."""
        return [row for row in self.store.sessions(states or ("LIVE", "DRAINING")) if row.kind == "worker"]

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """A sweeper beside the workers, as the scheduler runs it."""
        stop = threading.Event()
        sweeper = Sweeper(self.store, self.doorbell)

        def sweep() -> None:
            while not stop.wait(0.1):
                with suppress(UnavailableError):
                    sweeper.run_once()

        thread = threading.Thread(target=sweep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)

    def close(self) -> None:
        """Kill what is left; children go with their parents."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(10)
        self.doorbell.close()
        self.store.close()
        shutil.rmtree(bell_directory(self.url), ignore_errors=True)


def _family(pid: int) -> list[int]:
    """A process and its children."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *map(int, listed.stdout.split())]


def kept(folder: Path, script: str, given: dict[str, object], env: dict[str, str]) -> Kept:
    """A process that is started again whenever it ends; for a `with` block."""
    command = (sys.executable, "-c", script, json.dumps(given))
    paths = {"PYTHONPATH": os.pathsep.join(ROOMS), "ERRANDS_LOG": str(folder / "acts.log")}
    return Kept("kept", command, {**paths, **env}, folder / "kept.txt")
