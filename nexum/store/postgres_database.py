"""Connections to PostgreSQL: opened when first needed in a process, in autocommit, never carried over a fork.

A transaction is bound to its connection. When the connection is lost, every statement of the transaction fails and the
connection is thrown away, with the idle ones that have very likely died with it; the next verb opens a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection  # noqa: N812 (psycopg2 spells its class in lower case)

from nexum.errors import ConfigurationError, InternalError, NexumError, UnavailableError
from nexum.store.address import Address
from nexum.store.failures import GONE
from nexum.store.statement import Transaction

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A client that nobody answers must find out by itself: a frozen server does not keep its own timeouts.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def limit(seconds: float) -> str:
    """What ends every statement of a transaction after so long."""
    return f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}"


def connect_arguments(address: Address, role: str) -> dict[str, Any]:
    """What the driver needs to open a connection; `role` is shown to the server."""
    parts = {
        "host": address.host,
        "port": address.port,
        "dbname": address.name,
        "user": address.user,
        "password": address.password,
        "application_name": f"nexum {role}",
    }
    return {**PATIENCE, **{k: v for k, v in parts.items() if v}, **address.options}


class PostgresDatabase:
    """A server's database and the connections to it. `clock` replaces the server's clock in tests."""

    dialect = "postgresql"

    def __init__(self, address: Address, *, role: str, clock: Callable[[], int] | None = None) -> None:
        self._arguments = connect_arguments(address, role)
        self._clock = clock
        self._pid = os.getpid()
        self._free: list[Connection] = []

    @contextmanager
    def once(self) -> Iterator[Transaction]:
        """Statements that commit one by one."""
        connection = self._take()
        transaction = self._on(connection)
        try:
            yield transaction
            transaction.flush()
        except BaseException as error:
            self._after(error, connection)
            raise
        self._give(connection)

    alone = once

    @contextmanager
    def reading(self, seconds: float) -> Iterator[Transaction]:
        """One statement, cancelled after so long. Limit and statement are one message, and so one transaction."""
        with self.once() as transaction:
            transaction.ahead(limit(seconds))
            yield transaction

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction, committed on leaving and rolled back by any exception.

        Raises `UnavailableError` when the database cannot be reached, and `InternalError` NX-X100 when the server answers the
        commit with a rollback.
        """
        connection = self._take()
        transaction = self._on(connection)
        try:
            transaction.ahead(BEGIN)
            yield transaction
            transaction.execute("COMMIT")
            if transaction.cursor.statusmessage != "COMMIT":
                raise InternalError(f"a failed transaction was committed: {transaction.cursor.statusmessage}")
        except BaseException as error:
            self._after(error, connection)
            raise
        self._give(connection)

    joined = transaction

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._free:
            self._free.pop().close()

    def _on(self, connection: Connection) -> Transaction:
        fixed = self._clock() if self._clock else 0
        return Transaction(connection.cursor(), "postgresql", fixed, psycopg2.Error)

    def _take(self) -> Connection:
        if self._pid != os.getpid():
            self._free, self._pid = [], os.getpid()  # psycopg2 leaves a forked connection's socket alone
        try:
            return self._free.pop()
        except IndexError:
            return self._open()

    def _give(self, connection: Connection) -> None:
        if connection.closed or connection.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            connection.close()
        else:
            self._free.append(connection)

    def _after(self, error: BaseException, connection: Connection) -> None:
        """Take back what is open; throw the connection away when it is lost or its state is not known."""
        if isinstance(error, NexumError) and error.code in GONE:
            connection.close()
            self.close()
        elif not isinstance(error, Exception):
            connection.close()  # an interrupt may have left a statement under way
        else:
            try:
                if connection.get_transaction_status() != TRANSACTION_STATUS_IDLE:
                    connection.cursor().execute("ROLLBACK")
            except psycopg2.Error:
                connection.close()  # the server takes it back; the first error tells why
            else:
                self._give(connection)

    def _open(self) -> Connection:
        try:
            connection: Connection = psycopg2.connect(**self._arguments)
        except psycopg2.Error as error:
            raise UnavailableError(str(error).strip(), code="NX-S100") from error
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SHOW default_transaction_isolation")
            (level,) = cursor.fetchone() or ("",)
        if level != "read committed":
            connection.close()
            raise ConfigurationError(f"the default isolation level is {level!r}", code="NX-S114")
        return connection
