"""What a store needs of a connection: single statements, and transactions, on a cursor that nobody else uses meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from nexum.store.statement import Transaction


class Database(Protocol):
    """A place to run statements; translates the driver's errors into Nexum's."""

    dialect: str

    def once(self) -> AbstractContextManager[Transaction]:
        """Statements that commit one by one."""

    def reading(self, seconds: float) -> AbstractContextManager[Transaction]:
        """One statement that reads and is cancelled after so long, where the database can do that; nothing may be written."""

    def joined(self) -> AbstractContextManager[Transaction]:
        """One transaction; part of the caller's when the database was opened on a caller's connection."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction of its own, committed on leaving; raises NX-S108 inside a caller's transaction."""

    def alone(self) -> AbstractContextManager[Transaction]:
        """As `once`; raises NX-S108 inside a caller's transaction."""

    def close(self) -> None:
        """Give back all connections."""
