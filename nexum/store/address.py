"""Database URLs: what they name, and nothing opened yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from nexum.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL. `path` is set for SQLite, the rest for PostgreSQL; `options` are libpq parameters."""

    dialect: str
    path: str = ""
    host: str = ""
    port: str = ""
    name: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # `password` may be one of them


def parse(url: str) -> Address:
    """Read `postgresql://user:password@host:port/name?option=value` or `sqlite:///path`.

    `sqlite:////abs/path` and `sqlite:///rel/path` follow the usual rule of four and three slashes. Raises
    `ConfigurationError` NX-S113.
    """
    scheme, found, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1 and ":memory:" not in rest:
        return Address("sqlite", path=unquote(rest[1:]))
    if scheme.split("+")[0] in ("postgresql", "postgres") and found:
        parts = urlsplit(f"postgresql://{rest}")
        options = dict(parse_qsl(parts.query))
        return Address(
            "postgresql",
            host=options.pop("host", "") or unquote(parts.hostname or ""),
            port=options.pop("port", "") or str(parts.port or ""),
            name=unquote(parts.path[1:]),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            options=options,
        )
    shown = url if "@" not in url else f"...@{url.rpartition('@')[2]}"  # never a password
    raise ConfigurationError(f"database address {shown!r} is not understood", code="NX-S113")
