"""The protocol of a doorbell, and the one that rings nowhere."""

from __future__ import annotations

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
