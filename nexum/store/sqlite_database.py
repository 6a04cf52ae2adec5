"""Connections to a SQLite file: short writes, each `BEGIN IMMEDIATE`, durable, and one at a time.

A transaction that is opened inside another one of the same thread joins it: the file has one writer, and waiting for
oneself would never end.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from nexum.errors import UnavailableError
from nexum.store.failures import from_driver
from nexum.store.statement import Transaction

BUSY = 5.0  # seconds to wait for another writer
_FORKED: list[sqlite3.Connection] = []  # closing a connection that a fork copied could take the parent's locks


def _wall() -> int:
    return time.time_ns() // 1000


class SqliteDatabase:
    """A file and the connections to it. `checkpoints` is for one process: whoever moves the log into the file."""

    dialect = "sqlite"

    def __init__(self, path: str, *, checkpoints: bool, clock: Callable[[], int] | None = None) -> None:
        self._path = path
        self._checkpoints = checkpoints
        self._clock = clock or _wall
        self._pid = os.getpid()
        self._free: list[sqlite3.Connection] = []
        self._here = threading.local()

    @contextmanager
    def once(self) -> Iterator[Transaction]:
        """Statements that commit one by one."""
        held: Transaction | None = getattr(self._here, "transaction", None)
        if held is not None:
            yield held
            return
        connection = self._take()
        try:
            yield self._on(connection)
        finally:
            self._free.append(connection)

    alone = once

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction, or the one that this thread is in already."""
        held: Transaction | None = getattr(self._here, "transaction", None)
        if held is not None:
            yield held
            return
        connection = self._take()
        try:
            transaction = self._on(connection)
            transaction.execute("BEGIN IMMEDIATE")
            self._here.transaction = transaction
            try:
                yield transaction
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise
            finally:
                self._here.transaction = None
            self._commit(transaction, connection)
        finally:
            self._free.append(connection)

    joined = transaction

    def reading(self, seconds: float) -> AbstractContextManager[Transaction]:
        """As `once`: a file of this machine's, for development, needs no limit."""
        return self.once()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._free:
            self._free.pop().close()

    def _on(self, connection: sqlite3.Connection) -> Transaction:
        return Transaction(connection.cursor(), "sqlite", self._clock(), sqlite3.Error)

    def _commit(self, transaction: Transaction, connection: sqlite3.Connection) -> None:
        try:
            transaction.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    def _take(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            _FORKED.extend(self._free)
            self._free, self._pid, self._here = [], os.getpid(), threading.local()
        try:
            return self._free.pop()
        except IndexError:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=512
            )
        except sqlite3.Error as error:
            raise UnavailableError(f"{error}: {self._path}", code="NX-S100") from error
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":  # the switch needs the file for itself, a look does not
                connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA wal_autocheckpoint={1000 if self._checkpoints else 0}")
        except sqlite3.Error as error:
            connection.close()
            raise from_driver(error) from error
        return connection
