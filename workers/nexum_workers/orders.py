"""What a parent does besides forking and tending: bounds, ends and watches, as chores of the tender's thread."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence

from nexum.broker.lengths import QueueLengths
from nexum.errors import NexumError
from nexum_workers.board import Board, Phase
from nexum_workers.child import STUCK
from nexum_workers.draining import Drained

logger = logging.getLogger("nexum.worker")

KILL_AFTER = 1.5  # seconds between the order to stop at once and SIGKILL
ASK_EVERY = 1.0  # seconds between two questions whether everything is drained
DEAF_SECONDS = 30.0  # for which messages wait, somebody is free, and nothing is received
LISTEN_EVERY = 5.0


class Ending:
    """Bounds a drain: after `drain_timeout` seconds the children are told to stop at once, and then killed."""

    def __init__(self, board: Board, living: Callable[[], dict[int, str]], drain_timeout: float) -> None:
        self._board = board
        self._living = living
        self._drain_timeout = drain_timeout
        self._since: dict[Phase, float] = {}

    def __call__(self) -> None:
        """One look."""
        phase = self._board.phase
        if phase not in self._since and phase is not Phase.RUN:
            logger.info("stopping: %s", "finishing what is under way" if phase is Phase.DRAIN else "at once")
        waited = time.monotonic() - self._since.setdefault(phase, time.monotonic())
        if phase is Phase.DRAIN and waited > self._drain_timeout + KILL_AFTER:
            self._board.raise_to(Phase.NOW)
        if phase is Phase.NOW and waited > KILL_AFTER:
            for pid in self._living():
                os.kill(pid, signal.SIGKILL)


class LeavingWhenDrained:
    """Stops this process like a SIGTERM when no run is left, or when `timeout` seconds are over (`gave_up`)."""

    def __init__(self, drained: Callable[[], Drained], timeout: float) -> None:
        self._open = drained
        self._drained: Drained | None = None
        self._until = time.monotonic() + timeout
        self._next = 0.0
        self._left = False
        self.gave_up = False

    def __call__(self) -> None:
        """One look, at most every second. Raises `UnavailableError` when the database does not answer."""
        now = time.monotonic()
        if self._left or now < self._next:
            return
        self._next = now + ASK_EVERY
        self._drained = self._drained or self._open()
        if not self._drained.look():
            if now < self._until:
                return
            self.gave_up = True
            logger.error("[NX-W204] runs are left and the drain timeout is over", extra={"code": "NX-W204"})
        self._left = True
        os.kill(os.getpid(), signal.SIGTERM)


class Deaf:
    """Ends the process when messages wait, a child is free, and none is received: a consumer that died silently.

    `received` and `active` count messages received and being executed. A broker that does not answer is no deafness.
    """

    def __init__(
        self,
        lengths: QueueLengths,
        queues: Sequence[str],
        processes: int,
        *,
        received: Callable[[], int],
        active: Callable[[], int],
        end: Callable[[int], None] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lengths = lengths
        self._queues = queues
        self._processes = processes
        self._received = received
        self._active = active
        self._end = end
        self._clock = clock
        self._next = 0.0
        self._since: float | None = None
        self._heard = -1

    def __call__(self) -> None:
        """One look, at most every five seconds."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LISTEN_EVERY
        heard = self._received()
        if heard != self._heard or self._active() >= self._processes or not self._waiting():
            self._heard, self._since = heard, None
            return
        self._since = now if self._since is None else self._since
        if now - self._since >= DEAF_SECONDS:
            logger.error(
                "[NX-W211] messages wait and nothing is received; this process ends", extra={"code": "NX-W211"}
            )
            self._end(STUCK)

    def _waiting(self) -> int:
        try:
            return sum(self._lengths.read(self._queues).values())
        except NexumError:
            return 0
