"""Fresh databases for tests: migrated once per process, then copied."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from nexum.store.schema import upgrade
from nexum.store.tables import metadata

_counter = itertools.count(1)
_templates: dict[str, str] = {}


def fresh_sqlite(folder: Path) -> str:
    """The URL of an empty, migrated SQLite database in this folder."""
    template = _templates.get("sqlite")
    if template is None or not Path(template).exists():
        kept = Path(tempfile.gettempdir()) / f"nexum-template-{os.getpid()}.sqlite3"
        kept.unlink(missing_ok=True)
        upgrade(f"sqlite:///{kept}")
        with sqlite3.connect(kept) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        template = _templates["sqlite"] = str(kept)
    path = folder / f"nexum-{next(_counter)}.sqlite3"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


def fresh_postgres(server_url: str, worker: str) -> str:
    """The URL of an empty, migrated PostgreSQL database on this server."""
    if server_url not in _templates:
        template = f"nexum_tpl_{worker}_{os.getpid()}"
        _create(server_url, template, "template0")
        upgrade(_at(server_url, template))
        _templates[server_url] = template
    name = f"nexum_{worker}_{os.getpid()}_{next(_counter)}"
    _create(server_url, name, _templates[server_url])
    return _at(server_url, name)


def bare_postgres(server_url: str, worker: str) -> str:
    """The URL of an empty, migrated PostgreSQL database, as a role that may not create functions in it."""
    role = f"nexum_bare_{worker}"
    if role not in _templates:
        template = f"nexum_tpl_{role}_{os.getpid()}"
        with _admin(server_url) as cursor:
            cursor.execute(sql.SQL("DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN").format(sql.Identifier(role)))
        _create(server_url, template, "template0", role)
        with _admin(_at(server_url, template)) as cursor:
            cursor.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
        upgrade(_as(role, _at(server_url, template)))
        _templates[role] = template
    name = f"nexum_{worker}_{os.getpid()}_{next(_counter)}"
    _create(server_url, name, _templates[role], role)
    return _as(role, _at(server_url, name))


def drop_postgres(url: str, server_url: str) -> None:
    """Throw a database away, connections included."""
    name = urlsplit(url).path.lstrip("/")
    with _admin(server_url) as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def emptied(url: str) -> str:
    """The same PostgreSQL database without rows; a tenth of the time that a fresh one takes."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("; ".join(f"DELETE FROM {table}" for table in metadata.tables))
    return url


def _create(server_url: str, name: str, template: str, owner: str = "") -> None:
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with _admin(server_url) as cursor:
        cursor.execute(made + sql.SQL(" OWNER {}").format(sql.Identifier(owner)) if owner else made)


def _as(role: str, url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))


def _at(server_url: str, name: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


class _admin:
    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def __enter__(self) -> psycopg2.extensions.cursor:
        return self._connection.cursor()

    def __exit__(self, *_: object) -> None:
        self._connection.close()
