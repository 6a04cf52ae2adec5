"""A store on each database, an engine on it, and a driver that executes work in place of a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from databases import bare_postgres, drop_postgres, fresh_postgres, fresh_sqlite
from engine_driver import Driver
from nexum.store.api import Store
from nexum.store.connect import open_store


@pytest.fixture(params=["sqlite", "postgresql", "bare"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield fresh_sqlite(tmp_path)
        return
    server = request.getfixturevalue("pg_server_url")
    url = bare_postgres(server, worker_name) if request.param == "bare" else fresh_postgres(server, worker_name)
    yield url
    drop_postgres(url, server)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = open_store(database_url)
    yield opened
    opened.close()


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "inbox always": {"always_drain": True},
    "blobs always": {"inline_max": 0},
    "lease 1 s": {"lease": 1_000_000},
}


@pytest.fixture(params=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How the engine under test is set: the same statements must hold for all of them."""
    return VARIANTS[request.param]


@pytest.fixture
def driver(store: Store, variant: dict[str, Any]) -> Driver:
    return Driver(store, **variant)


@pytest.fixture
def direct(store: Store) -> Driver:
    """For statements about the fast path itself."""
    return Driver(store)


@pytest.fixture
def another(store: Store, database_url: str, variant: dict[str, Any]) -> Iterator[Callable[[str], Driver]]:
    """A second process's engine on the same database, as far as the database can tell."""
    opened: list[Store] = []

    def make(session: str) -> Driver:
        opened.append(open_store(database_url))
        return Driver(opened[-1], session=session, **variant)

    yield make
    for each in opened:
        each.close()
