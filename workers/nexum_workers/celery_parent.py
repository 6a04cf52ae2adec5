"""The worker that Celery keeps: its pool of prefork children, with our child inside each.

Celery's main thread receives messages and forks; beside it the tender looks after sessions. A child opens its store in a
side thread, because Celery kills a child that is not up within half a minute, and a database may take longer; the same
thread then looks for work as the safety net.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from celery import Celery, signals
from celery.concurrency.prefork import TaskPool

from nexum.store.api import TaskKey
from nexum_workers import django
from nexum_workers.app import hand_back
from nexum_workers.board import Board, Phase
from nexum_workers.child import STUCK, Child
from nexum_workers.serving import Serving
from nexum_workers.tending import LOST

logger = logging.getLogger("nexum.worker")

NO_CHECKS = {"without_gossip": True, "without_mingle": True, "without_heartbeat": False}


class Patient(TaskPool):
    """A prefork pool that starts although a child dies while it starts.

    Celery takes one early death for a pool that cannot start, and gives up with a warm shutdown. Here children may be
    killed at any time; the pool replaces them, and a child that cannot begin says so itself.
    """

    def did_start_ok(self) -> bool:
        """Yes: who died is replaced."""
        return True


class Inside:
    """The child inside a Celery pool process; before the fork it is only a place."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._open = threading.Event()

    def deliver(self, queue: str, key: TaskKey) -> None:
        """A message has come; waits until the child is open."""
        self._open.wait()
        assert self._child is not None
        self._child.deliver(queue, key)

    def begin(self, serving: Serving, before: tuple[Any, Any]) -> None:
        """In a new pool process: give the shop its app back and start our child."""
        hand_back(before)
        django.forget_inherited()
        self._child = Child(serving)
        signal.signal(LOST, lambda *_: self._child.lose() if self._child else None)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0) if serving.board.phase is Phase.NOW else None)
        threading.Thread(target=self._live, name="nexum-look", daemon=True).start()

    def end(self) -> None:
        """The pool process ends: finish what is under way."""
        if self._child is not None and self._open.is_set():
            self._child.close()
            django.close_all()

    def _live(self) -> None:
        assert self._child is not None
        try:
            self._child.open()
        except Exception:
            logger.exception("a worker process cannot begin")
            os._exit(STUCK)
        self._open.set()
        self._child.look_on()
        if self._child.is_lost and not self._child.is_closing:
            self._child.close()
            os._exit(STUCK)


def run_celery(
    app: Celery, inside: Inside, serving: Serving, *, hostname: str, processes: int, before: tuple[Any, Any]
) -> int:
    """Run Celery's worker in this thread until it is told to stop; gives its exit code."""

    def child_begins(**_: object) -> None:
        inside.begin(serving, before)

    def child_ends(**_: object) -> None:
        inside.end()

    def parent_stops(how: str = "Warm", **_: object) -> None:
        obey(serving.board, cold=how == "Cold")

    def own_logging(**_: object) -> None:
        """That somebody answers keeps Celery from configuring logging and from swallowing standard output."""
        for chatty in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(chatty).setLevel(logging.WARNING)  # two lines for each message say nothing about a run

    wired = (
        (signals.worker_process_init, child_begins),
        (signals.worker_process_shutdown, child_ends),
        (signals.worker_shutting_down, parent_stops),
        (signals.setup_logging, own_logging),
    )
    for signal_, act in wired:
        signal_.connect(act, weak=False)
    try:
        worker = app.Worker(
            hostname=hostname,
            pool=Patient,
            concurrency=processes,
            queues=list(serving.queues),
            quiet=True,
            **NO_CHECKS,
        )
        worker.start()
    finally:
        for signal_, act in wired:
            signal_.disconnect(act)
    return int(worker.exitcode or 0)


def obey(board: Board, *, cold: bool = False) -> None:
    """An order to stop: the first drains, the second ends."""
    board.raise_to(Phase.NOW if cold or board.phase is not Phase.RUN else Phase.DRAIN)
