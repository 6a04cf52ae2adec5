"""Open a store by its URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nexum.store.address import parse
from nexum.store.api import Store
from nexum.store.postgres import PostgresStore
from nexum.store.postgres_database import PostgresDatabase
from nexum.store.sqlite import SqliteStore
from nexum.store.sqlite_database import SqliteDatabase


def open_store(url: str, *, role: str = "engine", clock: Callable[[], int] | None = None) -> Store:
    """A store on `postgresql://...` or `sqlite:///path`; nothing is connected before the first verb.

    It may be used by any thread, and in a forked child, which opens connections of its own. `role` is shown to the
    server; with `scheduler` SQLite's log is moved into the file by this process, and by no other. `clock` (microseconds
    since 1970) replaces the store's clock in tests. Raises `ConfigurationError` NX-S113.
    """
    address = parse(url)
    if address.dialect == "sqlite":
        path = str(Path(address.path).absolute())
        return SqliteStore(SqliteDatabase(path, checkpoints=role == "scheduler", clock=clock))
    return PostgresStore(PostgresDatabase(address, role=role, clock=clock))
