"""What lies in the tables of a store, whichever kind it is: for tests that look behind the verbs."""

from __future__ import annotations

from typing import Any

from nexum.store.api import Store
from nexum.store.memory import MemoryStore
from nexum.store.tables import metadata
from nexum.store.verbs import Verbs

ASIDE = ("nexum_api_tokens", "nexum_group_decisions")  # no verb of a store knows them


def rows_of(store: Store, table: str) -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    if isinstance(store, MemoryStore):
        (kept,) = (each for each in store.tables if each.name == table)
        return [dict(zip(kept.columns, kept.values(row), strict=True)) for row in kept.rows.values()]
    assert isinstance(store, Verbs)
    columns = metadata.tables[table].columns.keys()
    found = store.select(metadata.tables[table].select())
    return [
        {n: bytes(v) if isinstance(v, memoryview) else v for n, v in zip(columns, row, strict=True)} for row in found
    ]


def dump(store: Store) -> dict[str, list[str]]:
    """Everything that the verbs have written, without the numbers that the databases give by themselves."""
    if isinstance(store, MemoryStore):
        return store.dump()
    names = [name for name in metadata.tables if name not in ASIDE]
    return {
        name: sorted(repr([value for column, value in row.items() if column != "id"]) for row in rows_of(store, name))
        for name in names
    }


def spoil_blobs(store: Store) -> None:
    """Put other bytes in the place of all blobs."""
    if isinstance(store, MemoryStore):
        blobs = store.tables.blobs
        for key, row in list(blobs.rows.items()):
            blobs.put(key, row._replace(data=b"spoilt"))
        return
    assert isinstance(store, Verbs)
    with store.database.once() as tx:
        tx.execute("UPDATE nexum_blobs SET data = " + ("'spoilt'" if store.dialect == "postgresql" else "x'00'"))


def emptied(store: Store) -> None:
    """Throw everything away."""
    if isinstance(store, MemoryStore):
        for kept in store.tables:
            for key in list(kept.rows):
                kept.put(key, None)
        return
    assert isinstance(store, Verbs)
    with store.database.transaction() as tx:
        for table in metadata.tables:
            tx.execute(f"DELETE FROM {table}")
