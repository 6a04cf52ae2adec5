"""Deadlines inside a process, on a clock that also counts while the machine sleeps.

A process that stood still (SIGSTOP, a suspended machine, a container without a share of the processor) wakes with its
deadlines behind it, and the answer of a provider perhaps already in its hands. Then its threads race: were the watchdog
first, it would end the process, and what is known about the money would die with it. So a watchdog that has itself
overslept knows that the process stood still, and gives everything whose time ran out meanwhile `grace` seconds to report.

That opens no new door. Everybody else counts with a sender that may live for a while after its deadline (`LINGERS` in the
core) and decides nothing before; the grace ends within that, reckoned from the deadline itself and not from waking. Who
stood still for longer is bitten at once: whoever waited for its death may be acting already.
"""

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
STILL = 1.0  # seconds by which a thread that only waits for the clock does not oversleep unless its process stood still


def boot_seconds() -> float:
    """Seconds on the clock that neither steps nor stops."""
    return time.clock_gettime(_CLOCK)


@dataclass(slots=True)
class _Watched(Generic[T]):
    due: float
    last: float
    what: T


class Watchdog(Generic[T]):
    """Calls `bite(what)` in its own thread for each thing that is not `release`d by its deadline.

    After the process has stood still, what is overdue is given `grace` seconds from then on, and never more than `lingers`
    seconds after its deadline.
    """

    def __init__(
        self,
        bite: Callable[[T], None],
        clock: Callable[[], float] = boot_seconds,
        *,
        grace: float = 0.0,
        lingers: float = 0.0,
    ) -> None:
        self._bite = bite
        self._clock = clock
        self._grace = grace
        self._lingers = lingers
        self._watched: dict[int, _Watched[T]] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes = clock()  # when the thread looks next; waking it for every short attempt would cost more than that

    def watch(self, what: T, seconds: float) -> int:
        """Watch something from now on; gives the number to release it by."""
        with self._changed:
            number = next(self._numbers)
            due = self._clock() + seconds
            self._watched[number] = _Watched(due, due + self._lingers, what)
            if self._thread is None:
                self._wakes = due - seconds
                self._thread = threading.Thread(target=self._run, name="nexum-watchdog", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()
            return number

    def renew(self, number: int, seconds: float) -> None:
        """Give what is watched so much time from now on; nothing when it is not watched any more."""
        with self._changed:
            if number in self._watched:
                due = self._clock() + seconds
                self._watched[number] = _Watched(due, due + self._lingers, self._watched[number].what)

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

    def overdue(self) -> list[T]:
        """Take out what is to be bitten now, and say when to look next; after standing still that is later."""
        now = self._clock()
        if now - self._wakes >= STILL:
            for item in self._watched.values():
                item.due = max(item.due, min(now + self._grace, item.last))
        over = [number for number, item in self._watched.items() if item.due <= now]
        bitten = [self._watched.pop(number).what for number in over]
        soonest = min((item.due for item in self._watched.values()), default=now + _LOOK)
        self._wakes = now + min(_LOOK, max(0.001, soonest - now))
        return bitten

    def _run(self) -> None:
        while True:
            with self._changed:
                bitten = self.overdue()
                if not bitten:
                    self._changed.wait(max(0.001, self._wakes - self._clock()))
                    continue
            for what in bitten:
                self._bite(what)
            with self._changed:
                self._wakes = self._clock()  # biting takes its time, too
