"""How many messages wait in a queue; for metrics and for the watchdog of a worker that hears nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kombu.exceptions import KombuError

from nexum.broker.senders import open_connection
from nexum.errors import UnavailableError


class QueueLengths:
    """Reads lengths over one connection of its own, opened when first needed. Not for use by several threads."""

    def __init__(self, url: str, extra: Mapping[str, Any] | None = None) -> None:
        self._connection: Any = open_connection(url, extra)

    def read(self, queues: Iterable[str]) -> dict[str, int]:
        """The number of waiting messages per queue; 0 for a queue that does not exist.

        Raises `UnavailableError` (NX-Q205) when the broker does not answer.
        """
        errors = (*self._connection.connection_errors, KombuError, OSError)
        try:
            return {name: self._one(name) for name in queues}
        except errors as error:
            self._connection.close()
            raise UnavailableError(
                f"the broker does not answer: {type(error).__name__}: {error}", code="NX-Q205"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()

    def _one(self, name: str) -> int:
        channel = self._connection.default_channel
        try:
            declared = channel.queue_declare(queue=name, passive=True)
        except self._connection.channel_errors:
            return 0  # a passive declaration of a queue that does not exist
        return int(declared.message_count)
