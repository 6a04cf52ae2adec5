"""The transport settings that keep a publisher or a consumer from hanging, and the refusal of any that would not.

Measured on kombu 5.7 with Redis 7: without `socket_timeout` a publish to a frozen Redis hung for more than forty seconds,
and a consumer on a half-open connection never consumed again. With these values both heal within fifteen seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nexum.errors import ConfigurationError

REDIS_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "sentinel"})

_REDIS: Mapping[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "visibility_timeout": 86_400,
    "max_connections": 20,
    # names of our own: a shop's workers on the same Redis must not restore our messages, nor we theirs
    "unacked_key": "nexum_unacked",
    "unacked_index_key": "nexum_unacked_index",
    "unacked_mutex_key": "nexum_unacked_mutex",
}
_MUST_BE_POSITIVE = ("socket_timeout", "socket_connect_timeout", "health_check_interval")


def is_redis(url: str) -> bool:
    """Whether a broker URL names the Redis transport or one of its relatives."""
    return urlsplit(url).scheme in REDIS_SCHEMES


def transport_options(url: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The transport options for a broker URL; `extra` may change values but not take the time limits away.

    Times are in seconds. Raises `ConfigurationError` (NX-Q206) when the result would let a worker hang for ever, and
    when it carries a `global_keyprefix`, under which messages pushed here would not be found by a consumer.
    """
    if not is_redis(url):
        return dict(extra or {})
    options = {**_REDIS, **(extra or {})}
    for name in _MUST_BE_POSITIVE:
        value = options.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise ConfigurationError(
                f"broker option {name} is {value!r}, so a worker could wait on a dead connection for ever",
                code="NX-Q206",
            )
    if options.get("global_keyprefix"):
        raise ConfigurationError(
            f"broker option global_keyprefix is {options['global_keyprefix']!r}, which renames every queue",
            code="NX-Q206",
            fixes=("give Nexum a Redis database of its own, for example redis://host:6379/3",),
        )
    return options
