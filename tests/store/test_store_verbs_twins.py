"""Any sequence of verbs gives the same answers and leaves the same tables, whatever store it is given to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from databases import fresh_sqlite
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.memory import MemoryStore
from store_player import BEGIN, Act, Clock, Player, scripts
from store_tables import dump, emptied
from thorough import examples

CLOCK = Clock()


@pytest.fixture(scope="module")
def stores(
    shared_postgres: str, shared_bare: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Store]]:
    """One store of each kind, with one clock; emptied between examples."""
    urls = {
        "postgresql": shared_postgres,
        "bare": shared_bare,
        "sqlite": fresh_sqlite(tmp_path_factory.mktemp("verbs")),
    }
    opened: dict[str, Store] = {kind: open_store(url, clock=CLOCK) for kind, url in urls.items()}
    yield {"memory": MemoryStore(CLOCK), **opened}
    for store in opened.values():
        store.close()


def played(store: Store, script: list[Act]) -> tuple[list[tuple[Act, Any]], dict[str, list[str]]]:
    """Acts with their answers, and tables, after a script on an empty store."""
    CLOCK.now = BEGIN
    emptied(store)
    answers = Player(store, CLOCK).play(script)
    return list(zip(script, answers, strict=True)), dump(store)


def agree(stores: dict[str, Store], script: list[Act], *kinds: str) -> None:
    """The first answer that differs is shown before the tables."""
    answers, tables = played(stores["memory"], script)
    for kind in kinds:
        others, rows = played(stores[kind], script)
        for other, answer in zip(others, answers, strict=True):
            assert other == answer, kind
        assert rows == tables, kind


@settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))
@given(script=scripts)
def test_memory_and_sqlite_agree_on_any_sequence_of_verbs(stores: dict[str, Store], script: list[Act]) -> None:
    agree(stores, script, "sqlite")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=scripts)
def test_memory_and_postgresql_agree_on_any_sequence_of_verbs(stores: dict[str, Store], script: list[Act]) -> None:
    agree(stores, script, "postgresql", "bare")
