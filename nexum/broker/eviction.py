"""What Redis does when its memory is full: refuse, or remove keys to make room. Queues are keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kombu import Connection
from kombu.exceptions import KombuError
from redis.exceptions import ResponseError

from nexum.broker.options import is_redis, transport_options
from nexum.errors import UnavailableError

REFUSES = "noeviction"


class MemoryRule(NamedTuple):
    """`limit` in bytes (0: none) and what happens there; `unknown` says why Redis did not tell, '' when it did."""

    limit: int
    policy: str
    unknown: str = ""

    @property
    def removes(self) -> bool:
        """Whether Redis may remove keys."""
        return self.limit > 0 and self.policy not in ("", REFUSES)


def memory_rule(url: str, extra: Mapping[str, Any] | None = None) -> MemoryRule | None:
    """The rule of the Redis behind a broker URL; None for other brokers.

    It is asked by INFO, which hosted Redis answers where CONFIG is forbidden. Raises `UnavailableError` (NX-Q205) when the
    broker does not answer; a user who may not ask is told of in `unknown`.
    """
    if not is_redis(url):
        return None
    connection: Any = Connection(url, transport_options=transport_options(url, extra), connect_timeout=3)
    try:
        told = connection.default_channel.client.info("memory")
    except ResponseError as error:  # NOPERM, or a command that was renamed away
        return MemoryRule(0, "", unknown=str(error))
    except (*connection.connection_errors, KombuError, OSError) as error:
        raise UnavailableError(
            f"the broker does not answer: {type(error).__name__}: {error}", code="NX-Q205"
        ) from error
    finally:
        connection.release()
    if "maxmemory_policy" not in told:
        return MemoryRule(0, "", unknown="its INFO names no maxmemory_policy")
    return MemoryRule(int(told.get("maxmemory", 0)), str(told["maxmemory_policy"]))
