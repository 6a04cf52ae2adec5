"""A worker that is killed whenever it reaches an armed point, and started again at once.

The process that reaches the point kills itself by SIGKILL in mid-instruction and leaves a marker file; the supervisor sees
the marker within a few milliseconds and kills whatever is left of the worker: what dies is the machine, not one process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from examples.refund_agent.cases import ROOT, Case
from nexum.crash import VARIABLE

_LOOK = 0.005  # seconds between two looks for a marker


@dataclass(frozen=True, slots=True)
class Kill:
    """One death: the point's name (`refund-1042`, `model`) and when, in microseconds since 1970."""

    name: str
    at: int


def armed(folder: Path, cases: Iterable[Case], *, model_case: str) -> tuple[str, tuple[str, ...]]:
    """The crash points of the demo and their names: after the provider's answer for each refund, once per order; and once
    while the model answers `model_case`."""
    points, names = [], []
    for case in cases:
        if case.refund:
            name = f"refund-{case.order}"  # two claims for one order share one death
            names.append(name)
            points.append(f"effect.after_response:node=refund,run_key={case.name},file={folder / name}")
    points.append(f"model.while_answering:node=verdict,run_key={model_case},file={folder / 'model'}")
    return ";".join(points), (*dict.fromkeys(names), "model")


@dataclass(slots=True)
class Victim:
    """A worker under supervision: its command line, its environment, and a folder for markers and its log."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path
    points: str
    kills: list[Kill] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _thread: threading.Thread | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Victim:
        self._start()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self._kill_all()

    def _start(self) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.env, VARIABLE: self.points},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _watch(self) -> None:
        seen: set[str] = set()
        while not self._over.wait(_LOOK):
            new = {path.name for path in self.folder.glob("*.1")} - seen
            if new:
                self._kill_all()
                self.kills += [Kill(name.removesuffix(".1"), self._died_at(name)) for name in sorted(new)]
                seen |= new
                self._start()
            elif self._process is not None and self._process.poll() is not None:
                time.sleep(0.2)  # it ended by itself, for example because of a wrong setting: do not spin
                self._start()

    def _died_at(self, marker: str) -> int:
        return (self.folder / marker).stat().st_mtime_ns // 1000

    def _kill_all(self) -> None:
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
