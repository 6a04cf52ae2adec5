"""A store on each database and in memory, an engine on it, and a driver that executes work in place of a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from databases import bare_postgres, drop_postgres, emptied, fresh_postgres, fresh_sqlite
from engine_driver import Driver
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.memory import MemoryStore

DATABASES = ("sqlite", "postgresql", "bare")


@pytest.fixture(params=[*DATABASES, "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which store the engine works on."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_databases(pg_server_url: str) -> Iterator[dict[str, str]]:
    """PostgreSQL databases by kind, made when first asked for; each test finds them empty."""
    made: dict[str, str] = {}
    yield made
    for url in made.values():
        drop_postgres(url, pg_server_url)


@pytest.fixture
def opens(
    kind: str, tmp_path: Path, worker_name: str, pg_server_url: str, shared_databases: dict[str, str]
) -> Iterator[Callable[[], Store]]:
    """Opens a store as another process would; all of them see one content."""
    if kind == "memory":
        only = MemoryStore(lambda: time.time_ns() // 1_000)
        yield lambda: only
        return
    if kind == "sqlite":
        url = fresh_sqlite(tmp_path)
    else:
        if kind not in shared_databases:
            make = bare_postgres if kind == "bare" else fresh_postgres
            shared_databases[kind] = make(pg_server_url, worker_name)
        url = emptied(shared_databases[kind])
    opened: list[Store] = []

    def again() -> Store:
        opened.append(open_store(url))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


@pytest.fixture
def store(opens: Callable[[], Store]) -> Store:
    return opens()


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
def another(opens: Callable[[], Store], variant: dict[str, Any]) -> Callable[[str], Driver]:
    """A second process's engine on the same content, as far as the store can tell."""
    return lambda session: Driver(opens(), session=session, **variant)
