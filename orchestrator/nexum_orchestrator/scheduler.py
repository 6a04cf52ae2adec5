"""One scheduler: sweep, watch, beat, pause, repeat."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import threading
import time

from nexum.broker.connect import broker_url, open_doorbell
from nexum.broker.doorbell import Doorbell
from nexum.engine.memory import SNAPSHOT_EVERY
from nexum.engine.sweep import Sweeper, SweepReport
from nexum.errors import UnavailableError
from nexum.patience import patiently
from nexum.presence import session_name
from nexum.settings import Settings
from nexum.store.api import SessionRow, Store
from nexum.store.connect import open_store
from nexum_orchestrator.health import Health
from nexum_orchestrator.sessions import Vigil

logger = logging.getLogger("nexum.scheduler")

MICROS = 1_000_000
JITTER = 0.2  # share of the pause, so that several schedulers do not look in step


class Scheduler:
    """Sweeps a store. `lease` and `pause` are in seconds. Not to be shared between threads, except for `stop`."""

    def __init__(
        self,
        store: Store,
        doorbell: Doorbell,
        *,
        lease: float,
        pause: float,
        poison_after: int = 5,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        self._store = store
        self._lease = lease
        self._pause = pause
        self._host = socket.gethostname()
        self.session = session_name(self._host)
        self._sweeper = Sweeper(
            store,
            doorbell,
            poison_after=poison_after,
            snapshot_every=snapshot_every,
            actor=f"scheduler {self.session}",
        )
        self._vigil = Vigil(store, me=f"scheduler {self.session}")
        self._beat_at = -lease
        self._is_open = False
        self._stop = threading.Event()
        self.health = Health()

    def open(self) -> None:
        """Write this scheduler's own session. Raises `UnavailableError` when the database does not answer."""
        now = self._store.now()
        self._store.open_session(
            SessionRow(
                session=self.session,
                kind="scheduler",
                host=self._host,
                pid=os.getpid(),
                parent_pid=os.getppid(),
                queues=(),
                slots=0,
                started_at=now,
                beat_at=now,
                beats=0,
                state="LIVE",
                lease=round(self._lease * MICROS),
            )
        )
        self._is_open = True

    def look(self) -> SweepReport:
        """One round: end dead sessions, then apply every rule. Raises `UnavailableError`."""
        self._beat()
        self._vigil.look()
        report = self._sweeper.run_once()
        if report.total:
            logger.debug("swept: %s", report)
        return report

    def run(self) -> None:
        """Look until `stop` is called; waits for the database whenever it does not answer."""
        failing = False
        while not self._stop.is_set():
            try:
                self.look()
                if failing:
                    logger.info("the database answers again")
                failing = False
            except UnavailableError as error:
                self._vigil.forget()
                if not failing:
                    logger.warning("waiting for the database: %s", error.message, extra={"code": error.code})
                failing = True
            except Exception:
                logger.exception("a sweep failed; going on with the next")
            self.health.alive()
            self._stop.wait(self._pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 (spread, not secret)

    def stop(self) -> None:
        """Make `run` return after the round under way. Safe in a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """End this scheduler's session, if the database lets us."""
        self.health.close()
        if self._is_open:
            try:
                self._store.end_session(self.session, proof="")
            except UnavailableError as error:
                logger.warning("the session stays until its lease ends: %s", error.message)

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at < self._lease / 3:
            return
        if not self._store.beat((self.session,)):
            self.session = session_name(self._host)  # we were taken for dead: a new life
            self.open()
        self._beat_at = time.monotonic()


def run_scheduler(settings: Settings, *, once: bool = False, database_url: str = "") -> int:
    """Run a scheduler until SIGTERM or SIGINT, or `once`; gives the exit code. `database_url` replaces the setting.

    Must be called in the main thread. Waits for the database and says so. Raises `ConfigurationError` for a broker or a
    database address that cannot be used.
    """
    url = database_url or settings.database_url
    doorbell = open_doorbell(url, broker_url(settings))
    store = open_store(url, role="scheduler")
    scheduler = Scheduler(
        store,
        doorbell,
        lease=settings.lease_seconds,
        pause=settings.sweep_seconds,
        poison_after=settings.poison_after,
        snapshot_every=settings.snapshot_every,
    )
    try:
        patiently(scheduler.open, "the database")
        for order in (signal.SIGTERM, signal.SIGINT):
            signal.signal(order, lambda *_: scheduler.stop())
        if once:
            scheduler.look()
            return 0
        logger.info("scheduler %s sweeps every %g s", scheduler.session, settings.sweep_seconds)
        scheduler.health.watch()
        scheduler.run()
        return 0
    finally:
        scheduler.close()
        doorbell.close()
        store.close()
