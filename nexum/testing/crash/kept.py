"""A supervisor: a process that is started again a moment after it has died, whoever killed it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK = 0.02  # seconds between two looks at a process
PAUSE = 0.1  # seconds between a death and the next life


@dataclass(slots=True)
class Kept:
    """A process that is started again whenever it ends; `deaths` counts how often it did so unbidden.

    `user` is who it runs as, None for ourselves.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    user: str | None = None
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
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _stat(pid)[1] == str(self.pid)]

    def stopped(self) -> list[int]:
        """Its children that stand still."""
        return [pid for pid in self.children() if _stat(pid)[0] == "T"]

    def kill(self, how: signal.Signals = signal.SIGKILL) -> bool:
        """A signal to the process alone; what its children do then is part of the test. Tells whether it was alive."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(how)
        return True

    def kill_group(self, how: signal.Signals = signal.SIGKILL) -> None:
        """A signal to everything that it started; waits for its end where that must come."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, how)
        if self.process is not None and how is signal.SIGKILL:
            self.process.wait()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own commands)
                self.command,
                env={**os.environ, **self.env},
                cwd=self.log.parent if self.user else None,  # another user may not be let into ours
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._over.wait(TICK):
            if self.process is not None and self.process.poll() is not None:
                self.deaths += 1
                self._over.wait(PAUSE)
                if not self._over.is_set():
                    self._start()


def _stat(pid: int) -> tuple[str, str]:
    """State and parent of a process; empty when it is gone. (Not every kernel lists children; all name the parent.)"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "", ""
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state, parent
