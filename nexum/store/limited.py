"""A database whose reads end after some seconds: for pages, which somebody waits for and reloads.

The limit is PostgreSQL's own `statement_timeout`, set for one transaction, so that neither PgBouncer nor whoever else uses
the connection ever sees it. SQLite has none: there is one user, and the file lies on the same machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nexum.errors import UnavailableError
from nexum.store.database import Database
from nexum.store.failures import was_cancelled
from nexum.store.statement import Transaction


class LimitedDatabase:
    """As the database behind it, but a read of more than `seconds` raises `UnavailableError` NX-S109."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._seconds = seconds
        self.reading = database.reading
        self.dialect = database.dialect
        self.joined = database.joined
        self.transaction = database.transaction
        self.alone = database.alone
        self.close = database.close

    @contextmanager
    def once(self) -> Iterator[Transaction]:
        """One read, ended by the database when it takes too long."""
        try:
            with self.reading(self._seconds) as tx:
                yield tx
        except UnavailableError as error:
            if not was_cancelled(error):
                raise
            raise UnavailableError(
                f"the database was still reading after {self._seconds:g} s", code="NX-S109"
            ) from error
