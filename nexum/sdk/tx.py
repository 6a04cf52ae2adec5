"""What a transaction node writes through when the engine's database is not used through Django's ORM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # handlers bring SQLAlchemy along; declaring and building need it not
    from nexum.store.transacting import Connection


@dataclass(frozen=True, slots=True)
class Tx:
    """The open transaction of a `transaction` node on the engine's own database; annotate a parameter with it.

    `connection` is a SQLAlchemy connection in its transaction: execute statements on it, or bind a session to it
    (`Session(tx.connection)`). It is committed together with the node's completion, or not at all; do neither yourself.

    In a unit test give it a connection of your own: `book(order, Tx(connection))`.
    """

    connection: Connection
