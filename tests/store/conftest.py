"""A migrated, empty store for each test, on both databases and in memory. The clock stands still until a test moves it.

PostgreSQL comes twice: with the functions of the hot path, and *bare*, as a role that may not create any finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from databases import bare_postgres, drop_postgres, emptied, fresh_postgres, fresh_sqlite
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.memory import MemoryStore


@dataclass
class Clock:
    """A clock that is moved by hand; microseconds."""

    now: int = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    """The clock of `store`."""
    return Clock()


@pytest.fixture(scope="session")
def shared_postgres(pg_server_url: str, worker_name: str) -> Iterator[str]:
    """One PostgreSQL database for all tests of this process; emptied before each of them."""
    url = fresh_postgres(pg_server_url, worker_name)
    yield url
    drop_postgres(url, pg_server_url)


@pytest.fixture(scope="session")
def shared_bare(pg_server_url: str, worker_name: str) -> Iterator[str]:
    """As `shared_postgres`, without functions."""
    url = bare_postgres(pg_server_url, worker_name)
    yield url
    drop_postgres(url, pg_server_url)


@pytest.fixture
def postgres_url(shared_postgres: str) -> str:
    """An empty PostgreSQL database."""
    return emptied(shared_postgres)


@pytest.fixture
def bare_url(shared_bare: str) -> str:
    """An empty PostgreSQL database without functions."""
    return emptied(shared_bare)


DATABASES = ("sqlite", "postgresql", "bare")


def _url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return fresh_sqlite(tmp_path)
    found: str = request.getfixturevalue("bare_url" if kind == "bare" else "postgres_url")
    return found


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return _url(request.param, request, tmp_path)


@pytest.fixture(params=DATABASES)
def own_url(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[str]:
    """A database that the test may spoil."""
    if request.param == "sqlite":
        yield fresh_sqlite(tmp_path)
        return
    server: str = request.getfixturevalue("pg_server_url")
    url = bare_postgres(server, worker_name) if request.param == "bare" else fresh_postgres(server, worker_name)
    yield url
    drop_postgres(url, server)


@pytest.fixture(params=[*DATABASES, "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """A store of each kind, with a clock that is moved by hand: what a test says of it is the contract."""
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    opened = open_store(_url(request.param, request, tmp_path), clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def database(url: str, clock: Clock) -> Iterator[Store]:
    """A store on a database: for statements about SQL."""
    opened = open_store(url, clock=clock)
    yield opened
    opened.close()
