"""Who is running, who is started again, and who may leave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nexum.cli.dev.bench import BEGINNING, TIMEOUT, Built, read
from nexum.cli.dev.offspring import Offspring, stop
from nexum.cli.dev.web import LOOPBACK
from nexum.cli.fleet import in_flight
from nexum.core.ids import short
from nexum.errors import UnavailableError
from nexum.store.api import Store

SHORT_LIFE = 2.0  # seconds; what dies sooner is started again later and later
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds before a worker that died is replaced
READY = 30.0  # seconds for the dashboard's first answer


@dataclass(slots=True)
class Bench:
    """A worker and the versions that it serves."""

    worker: Offspring
    built: Built
    leaving: bool = False


class Workshop:
    """The children of one `nexum dev`. `say` prints a line; every verb must be called from one thread."""

    def __init__(self, store: Store, env: Mapping[str, str], port: int, say: Callable[[str], None]) -> None:
        self._store = store
        self._env = env
        self._port = port
        self._say = say
        self._steady: list[Offspring] = []
        self._due = 0.0
        self._pause = FIRST_PAUSE
        self.benches: list[Bench] = []

    def open(self) -> None:
        """Start dashboard and scheduler, build, start a worker; returns when the dashboard answers.

        Raises `UnavailableError` NX-F123 when the dashboard ends before, or does not answer in time.
        """
        self._steady = [self._start("dashboard", "web", str(self._port)), self._start("scheduler", "scheduler", "-q")]
        self.rebuild()
        until = time.monotonic() + READY
        dashboard = self._steady[0]
        while not answers(self._port):
            if dashboard.ended is not None:
                raise UnavailableError(f"the dashboard ended ({_how(dashboard)}) before it answered", code="NX-F123")
            if time.monotonic() > until:
                raise UnavailableError(f"the dashboard did not answer on port {self._port}", code="NX-F123")
            time.sleep(0.05)

    def rebuild(self) -> None:
        """Build what the files say now; on success new runs get it, and older workers leave when they may."""
        self._due = 0.0
        newest = self.benches[-1] if self.benches and self.benches[-1].worker.ended is None else None
        known = tuple(newest.built.versions.values()) if newest else ()
        worker = Offspring("worker", ("bench", *known), self._env, heard=True)
        built = read(worker.hear(BEGINNING, TIMEOUT))
        if not built.findings and (newest is None or built != newest.built):
            self._announce(built)
            self.benches.append(Bench(worker, built))
            return
        stop([worker])
        if built.findings:
            kept = (
                f"{', '.join(self._served(newest))} stays as it is"
                if newest
                else "nothing is served until it is mended"
            )
            self._say(f"{built.findings}\nthe build failed; {kept}")

    def tend(self) -> None:
        """Start again what died, let go what is done."""
        self._steady = [self._again(child) for child in self._steady]
        if self._due and time.monotonic() >= self._due:
            self.rebuild()
        for bench in list(self.benches):
            if bench.worker.ended is not None:
                self._ended(bench)
            elif bench is not self.benches[-1] and not bench.leaving and self._is_done(bench):
                bench.leaving = True
                bench.worker.order_to_stop()

    def close(self) -> None:
        """Stop every child."""
        stop([*(bench.worker for bench in self.benches), *self._steady])

    @property
    def pids(self) -> dict[str, list[int]]:
        """The children's process ids by what they are."""
        found: dict[str, list[int]] = {}
        for child in (*self._steady, *(bench.worker for bench in self.benches)):
            found.setdefault(child.name, []).append(child.pid)
        return found

    def _start(self, name: str, *words: str) -> Offspring:
        return Offspring(name, words, self._env)

    def _again(self, child: Offspring) -> Offspring:
        if child.ended is None or time.monotonic() - child.started_at < SHORT_LIFE:
            return child
        self._say(f"the {child.name} ended ({_how(child)}) and is started again")
        child.bury()
        return Offspring(child.name, child.words, self._env)

    def _ended(self, bench: Bench) -> None:
        """A worker is gone: because it was done, because the code moved on, or because something killed it."""
        newest = bench is self.benches[-1]
        self.benches.remove(bench)
        bench.worker.bury()
        names = ", ".join(self._served(bench))
        if bench.leaving:
            self._say(f"{names}: no run is left, worker {bench.worker.pid} ended")
            return
        self._say(f"worker {bench.worker.pid} of {names} ended ({_how(bench.worker)})")
        if not newest:
            self._say(f"the code of {names} is not on disk any more; its runs wait until it is")
            return
        lived = time.monotonic() - bench.worker.started_at
        self._pause = min(self._pause * 2, LONGEST_PAUSE) if lived < SHORT_LIFE else FIRST_PAUSE
        self._due = time.monotonic() + self._pause

    def _is_done(self, bench: Bench) -> bool:
        """Whether no run is left on versions that only older code knows."""
        newest = self.benches[-1].built.versions
        own = [(name, version) for name, version in bench.built.versions.items() if newest.get(name) != version]
        try:
            return all(in_flight(self._store, *place) == 0 for place in own)
        except UnavailableError:
            return False

    def _announce(self, built: Built) -> None:
        before = self.benches[-1].built.versions if self.benches else {}
        for name, version in built.versions.items():
            was = before.get(name, version)
            if was != version:
                left = in_flight(self._store, name, was)
                stays = f"; {left} in flight on the old worker" if left else ""
                self._say(f"{name}  {short(was)} -> {short(version)}: new runs get it{stays}")

    def _served(self, bench: Bench) -> list[str]:
        return [f"{name}@{short(version)}" for name, version in bench.built.versions.items()]


def answers(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _how(child: Offspring) -> str:
    code = child.ended or 0
    return f"signal {-code}" if code < 0 else f"exit code {code}"
