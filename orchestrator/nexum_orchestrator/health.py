"""Whether this scheduler makes progress; one that does not is ended, for a supervisor to start another."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("nexum.scheduler")

STUCK_SECONDS = 60.0  # a look takes milliseconds, and every wait for the database is shorter than this
STUCK = 69


class Health:
    """Progress is reported by `alive`; `end` is called once with 69 when none was reported for `limit` seconds."""

    def __init__(
        self,
        *,
        limit: float = STUCK_SECONDS,
        end: Callable[[int], None] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._end = end
        self._clock = clock
        self._at = clock()
        self._stop = threading.Event()

    def alive(self) -> None:
        """Progress was made, be it only an answer that the database is down."""
        self._at = self._clock()

    def is_well(self) -> bool:
        """Whether progress was made lately."""
        return self._clock() - self._at < self._limit

    def watch(self) -> None:
        """Start watching in a thread."""
        threading.Thread(target=self._run, name="nexum-health", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, self._limit / 4)):
            if not self.is_well():
                logger.error("[NX-W211] the scheduler is stuck; this process ends", extra={"code": "NX-W211"})
                self._end(STUCK)
                return
