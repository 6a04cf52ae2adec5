"""A transaction on the engine's own database that a handler writes in, through SQLAlchemy, and the engine after it.

The handler has SQLAlchemy's connection; the engine's verbs run on the driver's connection underneath, in the same
transaction. Only whoever opened it commits.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import Connection as Connection  # handlers are given one, and other rooms may not name SQLAlchemy
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from nexum.errors import UnavailableError
from nexum.store.address import Address, parse
from nexum.store.api import Store
from nexum.store.postgres import PostgresStore
from nexum.store.postgres_database import connect_arguments
from nexum.store.sqlite import SqliteStore
from nexum.store.sqlite_database import BUSY
from nexum.store.statement import Transaction


class Transactions:
    """Opens transactions on a database; each process that uses it has connections of its own."""

    def __init__(self, url: str) -> None:
        self._address = parse(url)
        self._engine: Engine | None = None
        self._pid = 0

    @contextmanager
    def open(self) -> Iterator[tuple[Connection, Store]]:
        """A transaction, and a store whose joining verbs are part of it; committed on leaving, rolled back by an exception.

        Raises `UnavailableError` NX-S100 when the database does not answer.
        """
        if self._engine is None or self._pid != os.getpid():  # what a fork copied is the parent's, and left alone
            self._engine, self._pid = _engine(self._address), os.getpid()
        try:
            connection = self._engine.connect()
        except (psycopg2.Error, sqlite3.Error) as error:
            raise UnavailableError(str(error).strip(), code="NX-S100") from error
        with connection, connection.begin():
            yield connection, _joining(connection, self._address.dialect)


class Joined:
    """A transaction that somebody has open, as a store's database."""

    def __init__(self, connection: Connection, dialect: str, errors: type[Exception]) -> None:
        self.dialect = dialect
        self._connection = connection
        self._errors = errors

    @contextmanager
    def once(self) -> Iterator[Transaction]:
        """Statements in the open transaction."""
        fixed = time.time_ns() // 1000 if self.dialect == "sqlite" else 0
        here = Transaction(self._connection.connection.cursor(), self.dialect, fixed, self._errors)
        yield here
        here.flush()

    joined = alone = transaction = once

    @contextmanager
    def reading(self, seconds: float) -> Iterator[Transaction]:
        """As `once`: the open transaction has limits of its own."""
        with self.once() as here:
            yield here

    def close(self) -> None:
        """Leave the connection to whoever opened it."""


def _joining(connection: Connection, dialect: str) -> Store:
    if dialect == "sqlite":
        return SqliteStore(Joined(connection, dialect, sqlite3.Error))
    return PostgresStore(Joined(connection, dialect, psycopg2.Error))


def _engine(address: Address) -> Engine:
    if address.dialect == "sqlite":
        return _sqlite(address)
    connect: Callable[[], Any] = lambda: psycopg2.connect(**connect_arguments(address, "handler"))  # noqa: E731
    return create_engine(
        "postgresql+psycopg2://", creator=connect, pool_pre_ping=True, isolation_level="READ COMMITTED"
    )


def _sqlite(address: Address) -> Engine:
    path = str(Path(address.path).absolute())

    def connect() -> sqlite3.Connection:
        opened = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        opened.execute("PRAGMA synchronous=FULL")
        opened.execute("PRAGMA foreign_keys=ON")
        return opened

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)  # a file: opening it costs nothing

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver would begin late, and then might not get the file

    return engine
