"""Fibers and virtual time: who goes on next, and when it is.

The hub is the greenlet that calls `run`. It takes the next due entry, moves time there, and switches to the fiber, which
runs until it sleeps. Nothing else ever switches. Equal times are taken in the order in which they were asked for.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Container
from functools import partial
from typing import Any, Protocol
from zlib import crc32

from greenlet import GreenletExit, greenlet

SECOND = 1_000_000
IDLE_TIMEOUT = 5 * SECOND  # after which the database ends a transaction whose client says nothing
LAST_STEPS = 2_000  # of the trace that is kept for a report

Exit: type[BaseException] = GreenletExit  # ends a fiber; no handler of `Exception` stops it, and `finally` still runs


class StuckError(Exception):
    """A history that does not come to an end; a bug of the simulator, or a livelock of what it plays."""


class OpenDrain(Protocol):
    """A transaction that a fiber of a process holds open."""

    holder: Fiber | None

    def end(self) -> None:
        """The database ends it."""


class Process:
    """A process: it has a monotonic clock of its own, it may stand still, and once dead it does nothing more.

    `skew` is what its clock showed at the beginning of the world (us), `rate` how fast it runs. `stopped_until` is the
    instant until which it stands still. `drains` are the transactions that it holds open, `holding` the tasks that it may yet
    execute, with their effect keys and the fiber that took them. `still` is the longest time (us) for which it was made to wait.
    """

    def __init__(self, machine: Machine, name: str, *, skew: int = 0, rate: float = 1.0) -> None:
        self._machine = machine
        self._skew, self._rate = skew, rate
        self.name = name
        self.fibers: list[Fiber] = []
        self.is_dead = False
        self.stopped_until = 0
        self.drains: set[OpenDrain] = set()
        self.holding: dict[object, tuple[str, Fiber | None]] = {}
        self.still = 0

    @property
    def monotonic_ns(self) -> int:
        """Its monotonic clock, in nanoseconds."""
        return int((self._machine.now * self._rate + self._skew) * 1_000)

    @property
    def is_still(self) -> bool:
        """Whether it stands still."""
        return self.stopped_until > self._machine.now

    def stop(self, duration: int) -> None:
        """SIGSTOP now, SIGCONT after `duration` microseconds."""
        self.stopped_until = max(self.stopped_until, self._machine.now + duration)
        self.still = max(self.still, duration)
        self.touch()

    @property
    def is_inside(self) -> bool:
        """Whether the running fiber holds a transaction open."""
        return any(drain.holder is self._machine.current for drain in self.drains)

    def touch(self) -> None:
        """Let the database end the transactions of a process that says nothing for too long."""
        if self.is_still:
            for drain in self.drains:
                self._machine.after(IDLE_TIMEOUT, partial(self._end, drain))

    def _end(self, drain: OpenDrain) -> None:
        if self.is_still and drain in self.drains:
            drain.end()

    def go_on(self) -> None:
        """SIGCONT."""
        for fiber in self.fibers:
            if self.is_still:
                self._machine.wake(fiber)
        self.stopped_until = 0

    def kill(self, linger: int = 0) -> None:
        """SIGKILL: nothing of it runs any more; the database notices after `linger` microseconds."""
        if not self.is_dead:
            self.is_dead = True
            self._machine.after(linger, self._bury)

    def _bury(self) -> None:
        for fiber in self.fibers:
            fiber.end()
        self.holding.clear()

    def hold_only(self, mine: Container[object], begun: Container[object]) -> None:
        """The process will execute nothing but what it has begun, and what the running fiber has adopted."""
        for task, (key, _) in list(self.holding.items()):
            if task in mine:
                self.holding[task] = (key, self._machine.current)
            elif task not in begun:
                del self.holding[task]

    def let_go(self, *kept: object) -> None:
        """The running fiber will execute nothing of what it holds, but these tasks."""
        me = self._machine.current
        for task in [task for task, (_, holder) in self.holding.items() if holder is me and task not in kept]:
            del self.holding[task]

    def check(self) -> None:
        """End the calling fiber when its process is dead."""
        if self.is_dead:
            raise Exit


class Fiber:
    """One thread of a process."""

    def __init__(self, machine: Machine, process: Process, body: Callable[[], None], hub: greenlet) -> None:
        self.process = process
        self.ticket = 0
        self.light = greenlet(body, hub)
        self._machine = machine
        process.fibers.append(self)

    @property
    def is_over(self) -> bool:
        """Whether its body has returned."""
        return bool(self.light.dead)

    def end(self) -> None:
        """End it where it waits; called by the hub."""
        self.ticket += 1
        if not self.light.dead:
            before, self._machine.current = self._machine.current, self
            self.light.throw(Exit)
            self._machine.current = before


class Lock:
    """A lock that fibers of one process share; the fiber that has it may take it again."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._owner: Fiber | None = None
        self._depth = 0
        self._waiting: deque[Fiber] = deque()

    def __enter__(self) -> Lock:
        me = self._machine.current
        while self._owner is not None and self._owner is not me:
            assert me is not None
            self._waiting.append(me)
            self._machine.sleep(SECOND)
        self._owner, self._depth = me, self._depth + 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
            while self._waiting:
                self._machine.wake(self._waiting.popleft())


class Machine:
    """Plays fibers in virtual time. `now` is in microseconds since the world began; `rng` decides everything."""

    def __init__(self, rng: random.Random, *, steps: int = 400_000) -> None:
        self.rng = rng
        self.now = 0
        self.steps = 0
        self.digest = 0
        self.trace: deque[tuple[int, str, str, object]] = deque(maxlen=LAST_STEPS)
        self.current: Fiber | None = None
        self.call: tuple[str, tuple[Any, ...]] = ("", ())  # the verb that is executed just now
        self._most = steps
        self._due: list[tuple[int, int, Any, int]] = []
        self._asked = 0
        self._hub = greenlet.getcurrent()
        self._fibers: list[Fiber] = []

    # asked by fibers

    def sleep(self, duration: int) -> None:
        """Give way for so many microseconds, or until somebody wakes this fiber."""
        fiber = self.current
        assert fiber is not None, "only a fiber sleeps"
        fiber.process.check()
        self._push(self.now + duration, fiber, fiber.ticket)
        self._hub.switch()
        fiber.process.check()

    def trip(self) -> None:
        """Give way for as long as a round trip takes: 30 us to 30 ms, any order of magnitude as likely."""
        self.sleep(int(30 * 1000 ** self.rng.random()))

    def wake(self, fiber: Fiber) -> None:
        """Let a sleeping fiber go on now."""
        if not fiber.is_over and fiber is not self.current:
            fiber.ticket += 1
            self._push(self.now, fiber, fiber.ticket)

    def note(self, what: str, more: object = "") -> None:
        """Write into the trace what happens here."""
        name = self.current.process.name if self.current is not None else "world"
        self.trace.append((self.now, name, what, more))
        self.digest = crc32(f"{self.now} {name} {what}".encode(), self.digest)

    # asked by anybody

    def spawn(self, process: Process, body: Callable[[], None]) -> Fiber:
        """Start a fiber of a process, a moment from now."""
        fiber = Fiber(self, process, body, self._hub)
        self._fibers.append(fiber)
        self._push(self.now, fiber, 0)
        return fiber

    def after(self, duration: int, act: Callable[[], None]) -> None:
        """Let something happen that belongs to no process, after so many microseconds."""
        self._push(self.now + duration, act, -1)

    def run(self, until: int, stop: Callable[[], bool]) -> bool:
        """Play until `stop()` or the instant `until`; True when it was stopped. Raises `StuckError` after too many steps."""
        while self._due and self._due[0][0] <= until:
            at, _, what, ticket = heapq.heappop(self._due)
            if ticket < 0:
                self.now = at
                what()
            elif not self._goes_on(at, what, ticket):
                continue
            self.steps += 1
            if stop():
                return True
            if self.steps > self._most:
                raise StuckError(f"no end after {self.steps:,} steps, {self.now / SECOND:.0f} s of virtual time")
        self.now = max(self.now, until)
        return stop()

    def close(self) -> None:
        """End every fiber that is left."""
        for fiber in self._fibers:
            fiber.process.is_dead = True
            fiber.end()
        self._due.clear()

    def _goes_on(self, at: int, fiber: Fiber, ticket: int) -> bool:
        process = fiber.process
        if ticket != fiber.ticket or fiber.light.dead:
            return False
        if process.stopped_until > at:
            self._push(process.stopped_until, fiber, ticket)
            return False
        if process.is_dead:
            return False
        self.now = at
        self.current = fiber
        fiber.light.switch()
        self.current = None
        return True

    def _push(self, at: int, what: object, ticket: int) -> None:
        self._asked += 1
        heapq.heappush(self._due, (at, self._asked, what, ticket))
