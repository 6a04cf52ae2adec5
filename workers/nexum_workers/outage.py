"""One story about something that does not answer, told seldom: when it begins, at growing distances, and when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

FIRST_PAUSE = 10.0  # seconds from the first line to the second
LONGEST_PAUSE = 300.0


class Outage:
    """Keeps whoever asks several times a second from filling the log. `what` is what is asked, as people call it.

    Several askers share one outage, each under its name: it is over when nobody fails any more.
    """

    def __init__(self, what: str, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._logger = logger
        self._clock = clock
        self._failing: set[object] = set()
        self._began = self._says = 0.0
        self._pause = FIRST_PAUSE

    def failed(self, asker: object, error: Exception, *, trace: bool = False) -> None:
        """It did not answer; `trace` shows where, for what nobody expected."""
        now = self._clock()
        if not self._failing:
            self._began = self._says = now
            self._pause = FIRST_PAUSE
        self._failing.add(asker)
        if now < self._says:
            return
        since = f" for {now - self._began:.0f} s now" if now > self._began else ""
        code = getattr(error, "code", "")
        extra = {"code": code} if code else {}
        self._logger.warning("%s%s: %s", self._what, since, error, extra=extra, exc_info=error if trace else None)
        self._says, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)

    def answered(self, asker: object) -> None:
        """It did; says so when it was the last that did not."""
        if asker not in self._failing:
            return
        self._failing.discard(asker)
        if not self._failing:
            self._logger.info("over after %.0f s: %s", self._clock() - self._began, self._what)
