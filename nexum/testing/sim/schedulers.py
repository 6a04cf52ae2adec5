"""A scheduler process: the real sweeper and the real watch over sessions, a second apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexum.engine.sweep import Sweeper
from nexum.errors import UnavailableError
from nexum.store.api import SessionRow
from nexum.testing.sim.machine import SECOND, Process
from nexum_orchestrator.sessions import Vigil

if TYPE_CHECKING:
    from nexum.testing.sim.world import World

PAUSE = SECOND


class SchedulerProcess:
    """Beats, looks, sweeps, sleeps, as `nexum_orchestrator.scheduler.Scheduler.run` does."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._machine = world.machine
        self.process: Process = world.process(name)
        self.wire = world.wire(self.process)
        self._store = self.wire.as_store
        self._session = name
        self._lives = 0
        bell = world.bell(self.process)
        self._sweeper = Sweeper(self._store, bell, actor=name, **world.sweeper_options)
        self._machine.spawn(self.process, self._run)

    def _run(self) -> None:
        vigil = Vigil(self._store, me=self._session, clock=lambda: self.process.monotonic_ns / 1e9, gone=self._gone)
        beat_at = -self._world.lease
        while True:
            try:
                if self._machine.now - beat_at >= self._world.lease // 3:
                    self._beat()
                    beat_at = self._machine.now
                vigil.look()
                self._sweeper.run_once()
            except UnavailableError:
                vigil.forget()
            except Exception as error:  # noqa: BLE001 (a sweep that raises is a finding)
                self._world.surprised(error)
            self._machine.sleep(int(PAUSE * (0.8 + 0.4 * self._machine.rng.random())))

    def _beat(self) -> None:
        if self._lives and self._session in self._store.beat((self._session,)):
            return
        self._lives += 1
        self._session = f"{self.process.name}/{self._lives}"
        lease = self._world.lease
        self._store.open_session(SessionRow(self._session, "scheduler", "", 1, 1, (), 0, 0, 0, 0, "LIVE", lease))

    @staticmethod
    def _gone(session: str, pid: int) -> bool:
        """Nobody shares a process table with a scheduler here: death is seen by a parent, or by silence."""
        return False
