"""Messages that say that there is work: they may be lost, doubled, late, out of order, or all forgotten at once."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Protocol

from nexum.core.ids import TaskKey
from nexum.testing.sim.faults import Faults
from nexum.testing.sim.machine import SECOND, Machine, Process
from nexum.testing.sim.monitor import Monitor

Ring = tuple[str, TaskKey]


class Listener(Protocol):
    """A worker process that waits for messages."""

    queues: tuple[str, ...]

    def hear(self, ring: Ring) -> bool:
        """Take a message; False when it does not listen any more."""


class Broker:
    """Queues of rings; each ring goes to one listener of its queue. `published` counts them."""

    def __init__(self, machine: Machine, faults: Faults) -> None:
        self._machine = machine
        self._faults = faults
        self._waiting: dict[str, deque[Ring]] = defaultdict(deque)
        self._listeners: list[Listener] = []
        self.published = 0

    def publish(self, queue: str, key: TaskKey) -> None:
        """A ring leaves a process."""
        self.published += 1
        if self._faults.strikes("message lost", 0.3):
            return
        copies = 2 if self._faults.strikes("message doubled", 0.2) else 1
        for _ in range(copies):
            late = self._faults.strikes("message late", 0.2)
            delay = int(60 * SECOND * self._machine.rng.random()) if late else self._machine.rng.randrange(200, 20_000)
            self._machine.after(delay, lambda: self._arrive((queue, key)))

    def listen(self, listener: Listener) -> None:
        """Somebody waits for messages from now on, and gets those that have waited for him."""
        self._listeners.append(listener)
        for queue in listener.queues:
            waiting = self._waiting[queue]
            while waiting and listener.hear(waiting[0]):
                waiting.popleft()

    def leave(self, listener: Listener) -> None:
        """Somebody does not wait any more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def flush(self) -> None:
        """Forget every message."""
        self._waiting.clear()

    def _arrive(self, ring: Ring) -> None:
        listeners = [each for each in self._listeners if ring[0] in each.queues]
        self._machine.rng.shuffle(listeners)
        if not any(listener.hear(ring) for listener in listeners):
            self._waiting[ring[0]].append(ring)


class Bell:
    """One process's doorbell. `silent` is the process of an installation without a broker.

    `within` is told the process when it rings inside a transaction.
    """

    def __init__(self, broker: Broker | None, process: Process, monitor: Monitor) -> None:
        self._broker = broker
        self._process = process
        self._monitor = monitor

    def ring(self, queue: str, key: TaskKey) -> None:
        """Announce a task; never blocks, never raises."""
        if self._process.is_inside:
            self._monitor.say("I18", f"{self._process.name} rang inside a transaction")
        if self._broker is not None and not self._process.is_dead:
            self._broker.publish(queue, key)

    def close(self) -> None:
        """Nothing to let go of."""
