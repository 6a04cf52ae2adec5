"""The database's clock, between two looks at it: the last answer plus monotonic time since."""

from __future__ import annotations

import time

from nexum.store.api import Store


class StoreClock:
    """Tells the store's time without a round trip; `set` it whenever the store says its time (microseconds)."""

    def __init__(self) -> None:
        self._at = 0
        self._mark = 0

    def set(self, now: int) -> None:
        """Remember what the store said just now."""
        self._at = now
        self._mark = time.monotonic_ns()

    @property
    def age(self) -> float:
        """Seconds since the last `set`."""
        return (time.monotonic_ns() - self._mark) / 1e9

    def read(self, store: Store) -> int:
        """The store's time in microseconds; the store itself is asked the first time."""
        if not self._at:
            self.set(store.now())
        return self.now()

    def now(self) -> int:
        """The store's time in microseconds; 0 before the first `set`."""
        return self._at + (time.monotonic_ns() - self._mark) // 1_000 if self._at else 0
