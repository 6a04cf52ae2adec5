"""The processes of the world, each started again a moment after it has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nexum.testing.fakes.process import Fake, start
from nexum.testing.services import create_database, free_port, postgres_server, redis_binary

POISON_AFTER = 20  # the monkey kills the oldest tasks' processes again and again, which no machine does
TICK = 0.02  # seconds between two looks at a process


@dataclass(slots=True)
class Kept:
    """A process that is started again whenever it ends; `deaths` counts how often it did so unbidden."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Kept:
        self._start()
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {self.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self.kill_group()

    @property
    def pid(self) -> int:
        """The process that lives now."""
        assert self.process is not None
        return self.process.pid

    def children(self) -> list[int]:
        """Its living children."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == self.pid]

    def kill(self) -> bool:
        """SIGKILL to the process alone; what its children do then is part of the test. Tells whether it was alive."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(signal.SIGKILL)
        return True

    def kill_group(self) -> None:
        """SIGKILL to everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own commands)
                self.command,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._over.wait(TICK):
            if self.process is not None and self.process.poll() is not None:
                self.deaths += 1
                self._over.wait(0.1)
                if not self._over.is_set():
                    self._start()


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs; `processes` by role: worker, scheduler, web, redis."""

    database: str
    provider: Fake
    web_url: str
    folder: Path
    ledger: Path
    processes: Mapping[str, Kept]


@contextmanager
def world(folder: Path, *, lease: float, prepare: str) -> Iterator[World]:
    """Start everything; `prepare` is the module whose workflows are registered before anything serves them."""
    ledger = folder / "ledger.jsonl"
    with ExitStack() as stack:
        admin = stack.enter_context(postgres_server(durable=True))
        database = create_database(admin, f"nexum_crash_{os.getpid()}")
        provider = start("fakepay", ledger=str(ledger))
        stack.callback(provider.stop)
        redis_port, web_port = free_port(), free_port()
        env = {
            "NEXUM_DATABASE": database,
            "NEXUM_BROKER": f"redis://127.0.0.1:{redis_port}/0",
            "NEXUM_WORKFLOWS": prepare,
            "NEXUM_LEASE_SECONDS": str(lease),
            "NEXUM_SWEEP_SECONDS": "0.5",
            "NEXUM_POISON_AFTER": str(POISON_AFTER),
            "NEXUM_PROCESSES": "4",
            "NEXUM_CRASH_PROVIDER": provider.url,
        }
        _run(("-m", "nexum", "db", "upgrade"), env)
        _run(("-m", "nexum", "deploy"), env)
        kept: dict[str, Kept] = {}
        for name, command in _commands(redis_port, web_port).items():
            kept[name] = stack.enter_context(Kept(name, command, env, folder / f"{name}.log"))
        yield World(database, provider, f"http://127.0.0.1:{web_port}", folder, ledger, kept)


def _commands(redis_port: int, web_port: int) -> dict[str, tuple[str, ...]]:
    python = sys.executable
    return {
        "redis": (
            *(str(redis_binary()), "--port", str(redis_port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
        ),
        "scheduler": (python, "-m", "nexum", "scheduler"),
        "worker": (python, "-m", "nexum", "worker"),
        "web": (python, "-m", "nexum.testing.crash.web", str(web_port)),
    }


def _run(arguments: tuple[str, ...], env: Mapping[str, str]) -> None:
    command = (sys.executable, *arguments)
    subprocess.run(command, env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _parent(pid: int) -> int:
    """Whose child a process is; 0 when it is gone. (Not every kernel lists children, all of them name the parent.)"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def until(instant: float) -> None:
    """Wait for an instant of the monotonic clock."""
    time.sleep(max(0.0, instant - time.monotonic()))
