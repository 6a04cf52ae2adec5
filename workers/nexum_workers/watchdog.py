"""Deadlines inside a process, on a clock that also counts while the machine sleeps."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LOOK = 1.0  # seconds; a machine that was suspended is noticed this soon


def boot_seconds() -> float:
    """Seconds on the clock that neither steps nor stops."""
    return time.clock_gettime(_CLOCK)


@dataclass(slots=True)
class _Watched(Generic[T]):
    due: float
    what: T


class Watchdog(Generic[T]):
    """Calls `bite(what)` in its own thread for each thing that is not `release`d by its deadline."""

    def __init__(self, bite: Callable[[T], None], clock: Callable[[], float] = boot_seconds) -> None:
        self._bite = bite
        self._clock = clock
        self._watched: dict[int, _Watched[T]] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes = (
            0.0  # when the thread looks next; waking it for every short attempt would cost more than the attempt
        )

    def watch(self, what: T, seconds: float) -> int:
        """Watch something from now on; gives the number to release it by."""
        with self._changed:
            number = next(self._numbers)
            due = self._clock() + seconds
            self._watched[number] = _Watched(due, what)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nexum-watchdog", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()
            return number

    def renew(self, number: int, seconds: float) -> None:
        """Give what is watched so much time from now on; nothing when it is not watched any more."""
        with self._changed:
            if number in self._watched:
                self._watched[number].due = self._clock() + seconds

    def release(self, number: int) -> bool:
        """Watch no longer; False when the deadline came first, and whoever released must leave it alone."""
        with self._changed:
            return self._watched.pop(number, None) is not None

    @contextmanager
    def limit(self, what: T, seconds: float) -> Iterator[None]:
        """Watch the inside of a `with` block."""
        number = self.watch(what, seconds)
        try:
            yield
        finally:
            self.release(number)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = self._clock()
                over = [number for number, item in self._watched.items() if item.due <= now]
                if not over:
                    soonest = min((item.due for item in self._watched.values()), default=now + _LOOK)
                    pause = min(_LOOK, max(0.001, soonest - now))
                    self._wakes = now + pause
                    self._changed.wait(pause)
                    continue
                bitten = [self._watched.pop(number).what for number in over]
            for what in bitten:
                self._bite(what)
