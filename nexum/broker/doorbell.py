"""The protocol of a doorbell, and the one that rings nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nexum.core.ids import TaskKey


class Doorbell(Protocol):
    """Tells workers that a task is ready. Call it after the commit, never inside a transaction."""

    def ring(self, queue: str, key: TaskKey) -> None:
        """Announce one task of one queue. Never blocks, never raises; a lost ring costs latency only."""

    def close(self) -> None:
        """Deliver what is still queued within about a second, then let go of every resource."""


class NullDoorbell:
    """Rings nowhere: workers find the task when they look by themselves."""

    def ring(self, queue: str, key: TaskKey) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Nothing to let go of."""


class Doorbells:
    """Several doorbells rung as one, for example local datagrams beside a broker."""

    def __init__(self, bells: Sequence[Doorbell]) -> None:
        self._bells = tuple(bells)

    def ring(self, queue: str, key: TaskKey) -> None:
        """Ring every one of them."""
        for bell in self._bells:
            bell.ring(queue, key)

    def close(self) -> None:
        """Close every one of them."""
        for bell in self._bells:
            bell.close()
