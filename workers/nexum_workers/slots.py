"""How much one process may have under way."""

from __future__ import annotations

import threading
import time


class Slots:
    """At most `count` runs at a time. A slot may be given back by another thread than took it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._taken = 0
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken

    def take(self, timeout: float | None = None) -> bool:
        """Take one, waiting at most `timeout` seconds (None: for ever, 0: not at all)."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken < self.count, timeout):
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        """Give one back."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def wait_for_room(self, timeout: float | None = None) -> None:
        """Wait until one is free, without taking it, for at most `timeout` seconds (None: for ever)."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken < self.count, timeout)

    def wait_until_idle(self, timeout: float, leaving: int = 0) -> bool:
        """Wait until at most `leaving` are taken; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._taken <= leaving, timeout)


class Turn:
    """How long a run may go on inline before others are looked after: `steps`, or `seconds`, whichever ends first."""

    STEPS = 32
    SECONDS = 0.1

    def __init__(self) -> None:
        self._begin()

    def step(self) -> bool:
        """Count a step; True when the turn is over (and begins anew)."""
        self._steps += 1
        if self._steps < self.STEPS and time.monotonic() - self._since < self.SECONDS:
            return False
        self._begin()
        return True

    def _begin(self) -> None:
        self._steps = 0
        self._since = time.monotonic()
