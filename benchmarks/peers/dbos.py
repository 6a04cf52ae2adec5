"""DBOS in an environment of its own below `build/`: it brings psycopg 3, and Django would take that for its driver."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.marks import FILE, Marks
from benchmarks.places import BUILD, ROOT, Places

ENVIRONMENT = BUILD / "bench-venv"
REQUIREMENT = "dbos>=3.4,<4"


class UnavailablePeerError(Exception):
    """A peer that cannot be had here; its text is the reason that is printed."""


def install() -> str:
    """The interpreter of an environment with DBOS, made when it is not there. Raises `UnavailablePeerError`."""
    python = str(ENVIRONMENT / "bin" / "python")
    if _runs([python, "-c", "import dbos"]) is None:
        return python
    for command in (
        [str(ROOT / ".ci" / "venv"), str(ENVIRONMENT)],
        [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", REQUIREMENT],
        [python, "-c", "import dbos"],
    ):
        trouble = _runs(command)
        if trouble is not None:
            raise UnavailablePeerError(f"{REQUIREMENT} could not be installed: {trouble}")
    return python


def version(python: str) -> str:
    """Which DBOS it is."""
    code = "from importlib.metadata import version; print(version('dbos'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Dbos:
    """Enter it to have a process that answers. `url` is its database, which it fills with its own tables.

    Only with `queue` does it poll one.
    """

    def __init__(self, places: Places, python: str, url: str, name: str, *, queue: bool = False) -> None:
        self.marks = Marks(places.file(f"marks-{name}"))
        self._python = python
        self._url = url
        self._name = name
        self._options = ["queue"] if queue else []
        self._log = places.file(f"{name}.log")
        self._numbers = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.work()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def work(self) -> None:
        """Start the process and wait until it answers."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [self._python, "-m", "benchmarks.peers.dbos_app", self._url, *self._options],
                cwd=ROOT,
                env={**os.environ, FILE: str(self.marks.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
            )
        self.wait()

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process = None

    def ask(self, do: str, runs: Sequence[str], length: int) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        line = json.dumps({"do": do, "runs": list(runs), "length": length})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """The next answer. Raises `UnavailablePeerError` when the process has ended instead."""
        assert self._process is not None
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith(b"{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        words = self._log.read_text(errors="replace")[-400:]
        raise UnavailablePeerError(f"{self._name} ended: {words!r}")

    def names(self, count: int) -> list[str]:
        """Names of runs that were not used before."""
        self._numbers += count
        return [f"d{number}" for number in range(self._numbers - count, self._numbers)]


def _runs(command: list[str]) -> str | None:
    """None when a command succeeds, else what it said last."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:]
