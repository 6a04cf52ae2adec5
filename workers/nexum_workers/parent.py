"""A pool of our own, for a worker without a broker: fork, wait, fork again.

The main thread does nothing but keep the processes; sessions are tended by a thread beside it. Children die with us: by
the kernel's death signal where there is one, and by the pipe that closes everywhere.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from nexum_workers import django
from nexum_workers.board import Board, Phase
from nexum_workers.child import STUCK, Child
from nexum_workers.forking import Lifeline, die_with
from nexum_workers.serving import Serving
from nexum_workers.tending import LOST, Tender

logger = logging.getLogger("nexum.worker")

TICK = 0.05  # seconds
SHORT_LIFE = 1.0  # a child that dies sooner is replaced after a pause, so that a crash loop does not burn the machine
PAUSE = 1.0


class Pool:
    """`count` children that serve. `tender` ends their sessions; it must be started after the pool has been made."""

    def __init__(self, serving: Serving, count: int, tender: Callable[[], Tender]) -> None:
        self._serving = serving
        self._count = count
        self._tender = tender
        self._line = Lifeline()
        self._born: dict[int, float] = {}
        self._not_before = 0.0

    def run(self) -> None:
        """Keep the children until the board says drain and all of them are gone."""
        pause = threading.Event()
        while self._born or self._board.phase is Phase.RUN:
            if self._board.phase is Phase.RUN and time.monotonic() >= self._not_before:
                while len(self._born) < self._count:
                    self._fork()
            self._reap()
            pause.wait(TICK)
        self._line.close()

    @property
    def _board(self) -> Board:
        return self._serving.board

    def _fork(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._born[pid] = time.monotonic()
            return
        try:
            _live(self._serving, self._line, parent)
        except BaseException:
            logger.exception("a worker process failed")
        finally:
            os._exit(STUCK)

    def _reap(self) -> None:
        """Bury the dead, but let the tender see each of them first: what it saw is the better proof."""
        living = self._tender().living
        for pid, born in list(self._born.items()):
            if pid in living:
                continue
            gone, status = os.waitpid(pid, os.WNOHANG)
            if not gone:
                continue
            del self._born[pid]
            if os.waitstatus_to_exitcode(status) != 0 and self._board.phase is Phase.RUN:
                logger.warning("worker process %d ended with %d", pid, os.waitstatus_to_exitcode(status))
            if time.monotonic() - born < SHORT_LIFE:
                self._not_before = time.monotonic() + PAUSE


def _live(serving: Serving, line: Lifeline, parent: int) -> None:
    """The whole life of a child; never returns."""
    die_with(parent)
    line.hold_on(lambda: os._exit(STUCK))
    for ignored in (signal.SIGINT, signal.SIGTERM):  # our parent says when, on the board
        signal.signal(ignored, signal.SIG_IGN)
    child = Child(serving)
    signal.signal(LOST, lambda *_: child.lose())
    django.forget_inherited()
    child.open()
    child.look_on()
    child.close()
    django.close_all()
    os._exit(STUCK if child.is_lost else 0)
