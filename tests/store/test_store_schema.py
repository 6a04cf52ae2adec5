"""One schema, described twice: Django's models make the tables, SQLAlchemy's tables query them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from django.apps import apps
from django.core.management import call_command
from django.db import connections
from sqlalchemy.types import BigInteger, Integer, LargeBinary, String, Text, TypeEngine

from nexum.errors import ConfigurationError
from nexum.store.connect import open_store
from nexum.store.schema import check_schema, schema_version, shipped, upgrade
from nexum.store.tables import metadata


def kind(type_: TypeEngine[Any]) -> str:
    """Types as the databases tell them apart."""
    if isinstance(type_, LargeBinary):
        return "bytes"
    if isinstance(type_, Text | String):
        return "text"
    assert isinstance(type_, Integer | BigInteger), type_
    return "whole"


def spelt(condition: str) -> str:
    """A condition of an index, without what each database and Django add to its spelling."""
    plain = re.sub(r"::[a-z ]+(\[\])?|[()\"`\[\]]|ARRAY", "", condition).replace("= ANY", "IN")
    return " AND ".join(sorted(re.sub(r"\s+", " ", part).strip() for part in plain.split(" AND ")))


def where(index: sa.Index) -> str:
    """The condition of a partial index, '' for others."""
    condition = index.dialect_options["sqlite"]["where"]
    return "" if condition is None else spelt(str(condition))


def engine_on(url: str) -> sa.Engine:
    """SQLAlchemy's own connections, to look at the schema with other eyes than the store's."""
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))


def described() -> dict[str, Any]:
    """What `nexum.store.tables` says."""
    found: dict[str, Any] = {}
    for table in metadata.sorted_tables:
        indexes = {(tuple(c.name for c in i.columns), bool(i.unique), where(i)) for i in table.indexes}
        columns = {c.name: (kind(c.type), bool(c.nullable)) for c in table.columns}
        found[table.name] = (columns, tuple(c.name for c in table.primary_key), indexes)
    return found


def made(url: str) -> dict[str, Any]:
    """What stands in the database."""
    engine = engine_on(url)
    looked = sa.inspect(engine)
    found: dict[str, Any] = {}
    for table in looked.get_table_names():
        if not table.startswith("nexum_"):
            continue
        columns = {c["name"]: (kind(c["type"]), bool(c["nullable"])) for c in looked.get_columns(table)}
        indexes = set()
        for index in looked.get_indexes(table):
            options = index.get("dialect_options", {})
            condition = str(options.get("postgresql_where", options.get("sqlite_where", "")))
            indexes.add((tuple(index["column_names"]), bool(index["unique"]), spelt(condition)))
        for unique in looked.get_unique_constraints(table):
            indexes.add((tuple(unique["column_names"]), True, ""))
        found[table] = (columns, tuple(looked.get_pk_constraint(table)["constrained_columns"]), indexes)
    engine.dispose()
    return found


def test_models_and_tables_describe_the_same_schema(url: str) -> None:
    have, want = made(url), described()

    assert sorted(have) == sorted(want)
    for table, (columns, key, indexes) in want.items():
        assert have[table][0] == columns, table
        assert have[table][1] == key, table
        assert have[table][2] == indexes, table


def test_every_model_has_its_table() -> None:
    models = {model._meta.db_table for model in apps.get_app_config("nexum").get_models()}

    assert models == set(metadata.tables)


def test_no_migration_is_missing(url: str) -> None:
    upgrade(url)

    try:
        call_command("makemigrations", "nexum", check=True, dry_run=True, verbosity=0)
    finally:
        connections.close_all()  # it looks into the default database, which others may want to copy


def test_no_index_for_like_is_made_beside_a_text_key(postgres_url: str) -> None:
    engine = engine_on(postgres_url)
    with engine.connect() as connection:
        names = connection.execute(sa.text("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%\\_like'")).all()
    engine.dispose()

    assert names == []


def test_hot_tables_leave_room_in_their_pages(postgres_url: str) -> None:
    engine = engine_on(postgres_url)
    query = "SELECT relname, reloptions FROM pg_class WHERE relname IN ('nexum_runs', 'nexum_tasks', 'nexum_inbox')"
    with engine.connect() as connection:
        options = {row[0]: row[1] for row in connection.execute(sa.text(query))}
    engine.dispose()

    assert len(options) == 3
    assert all("fillfactor=70" in found for found in options.values())


def test_a_fresh_database_is_at_the_newest_migration(url: str) -> None:
    store = open_store(url)

    assert schema_version(store) == shipped()[-1]
    check_schema(store)
    upgrade(url)
    check_schema(store)
    store.close()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("NX-S110", "DROP TABLE django_migrations"),
        ("NX-S111", "DELETE FROM django_migrations WHERE app = 'nexum' AND name LIKE '0004%'"),
        ("NX-S112", "INSERT INTO django_migrations (app, name, applied) VALUES ('nexum', '9999_later', '2026-01-01')"),
    ],
)
def test_a_database_at_another_migration_says_so_and_how_to_mend_it(own_url: str, code: str, change: str) -> None:
    store = open_store(own_url)
    with store.database.once() as tx:  # type: ignore[attr-defined]
        tx.execute(change)

    with pytest.raises(ConfigurationError, match=code) as caught:
        check_schema(store)

    assert caught.value.fixes
    store.close()


def test_a_missing_column_means_an_older_database(own_url: str) -> None:
    store = open_store(own_url)
    with store.database.once() as tx:  # type: ignore[attr-defined]
        tx.execute("ALTER TABLE nexum_snapshots RENAME COLUMN engine TO motor")

    with pytest.raises(ConfigurationError, match="NX-S111"):
        store.snapshot("run")
    store.close()


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nexum.db", "postgres//user:secret@x"]
)
def test_an_address_that_is_not_understood_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="NX-S113") as caught:
        open_store(url)

    assert "secret" not in str(caught.value)
