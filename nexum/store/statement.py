"""A statement written once, spelt for either dialect, and the transaction that it runs in.

Parameters are written `:name`; `{now}` stands for the store's clock. SQLAlchemy spells the text for the driver when it
is first used; from then on it is a string on a raw cursor, which costs nothing and works on a borrowed connection too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ClauseElement, Table, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from nexum.store.failures import from_driver, unstorable

DIALECTS = {
    "postgresql": PGDialect_psycopg2(),  # type: ignore[no-untyped-call]
    "sqlite": SQLiteDialect_pysqlite(paramstyle="named"),
}
CLOCK = {
    "postgresql": (
        "CASE WHEN CAST(:now AS bigint) > 0 THEN CAST(:now AS bigint)"
        " ELSE CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) END"
    ),
    "sqlite": ":now",
}
SLICE = 500  # rows of one INSERT


class Statement:
    """One SQL statement; `sqlite` gives another text where the dialects differ."""

    def __init__(self, sql: str | ClauseElement, *, sqlite: str = "") -> None:
        self._sql = sql
        self._sqlite = sqlite
        self._spelt: dict[str, str] = {}

    def on(self, dialect: str) -> str:
        """The text for the driver of this dialect."""
        spelt = self._spelt.get(dialect)
        if spelt is None:
            source = self._sqlite if self._sqlite and dialect == "sqlite" else self._sql
            clause = text(source.replace("{now}", f"({CLOCK[dialect]})")) if isinstance(source, str) else source
            spelt = self._spelt[dialect] = str(clause.compile(dialect=DIALECTS[dialect]))
        return spelt


class Insert:
    """Rows into one table, in the order of `columns` (all by default); `keep` leaves rows alone that are there already."""

    def __init__(self, table: Table, *, keep: bool = False, without: tuple[str, ...] = ()) -> None:
        self.columns = tuple(c.name for c in table.columns if c.name not in without)
        self._into = f"INSERT INTO {table.name} ({', '.join(self.columns)}) VALUES "  # noqa: S608 (our own names)
        self._end = " ON CONFLICT DO NOTHING" if keep else ""

    def texts(self, dialect: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any]]]:
        """The statements that insert the rows, with their values; a slice of rows each."""
        mark = "?" if dialect == "sqlite" else "%s"
        one = f"({', '.join([mark] * len(self.columns))})"
        for start in range(0, len(rows), SLICE):
            some = rows[start : start + SLICE]
            yield self._into + ", ".join([one] * len(some)) + self._end, [value for row in some for value in row]


class Transaction:
    """Statements on one connection, in one transaction or each on its own; who made it says which.

    The driver's errors leave as Nexum's. On PostgreSQL, `ahead` and `gathered` put several statements into one message,
    because a round trip costs more than a statement.
    """

    __slots__ = ("_ahead", "_errors", "_gathered", "cursor", "dialect", "fixed")

    def __init__(self, cursor: Any, dialect: str, fixed: int, errors: type[Exception]) -> None:
        self.cursor = cursor
        self.dialect = dialect
        self.fixed = fixed
        self._errors = errors
        self._ahead = b""
        self._gathered: list[bytes] | None = None

    def ahead(self, sql: str) -> None:
        """Send a statement in the same message as the next one, after others that wait for it."""
        self._ahead += sql.encode() + b";"

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Send the inserts of the block together with the statement after it, most often the COMMIT.

        Their counts of new rows are not known inside. Who gives the transaction out calls `flush` where no COMMIT of ours
        follows.
        """
        if self.dialect == "sqlite":
            yield
            return
        self._gathered = []
        try:
            yield
            texts = b";".join(self._gathered)
        finally:
            self._gathered = None
        if texts:
            self._ahead += texts + b";"

    def flush(self) -> None:
        """Send what waits for a next statement; nothing when nothing waits."""
        if self._ahead:
            text, self._ahead = self._ahead, b""
            self.execute(text)

    def execute(self, sql: str | bytes, values: Any = None) -> Any:
        """Execute a text that is spelt for this driver already; gives the cursor."""
        try:
            if self._ahead:
                text = self._spelled(sql, values)
                before, self._ahead = self._ahead, b""
                self.cursor.execute(before + text)
            elif values is None:
                self.cursor.execute(sql)
            else:
                self.cursor.execute(sql, values)
        except self._errors as error:
            raise from_driver(error) from error
        except ValueError as error:  # NUL or half a surrogate pair in a text
            raise unstorable(error, values) from error
        return self.cursor

    def _spelled(self, sql: str | bytes, values: Any) -> bytes:
        """The statement with its values in it, as the driver would send it."""
        if values is not None:
            return bytes(self.cursor.mogrify(sql, values))
        return sql if isinstance(sql, bytes) else sql.encode()

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute; gives the number of rows that changed."""
        return int(self.execute(statement.on(self.dialect), {"now": self.fixed, **values}).rowcount)

    def rows(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """Execute and fetch every row."""
        return list(self.execute(statement.on(self.dialect), {"now": self.fixed, **values}).fetchall())

    def row(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """Execute and fetch the first row."""
        cursor = self.execute(statement.on(self.dialect), {"now": self.fixed, **values})
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found

    def insert(self, into: Insert, rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows; gives how many are new."""
        if self._gathered is not None:
            try:
                self._gathered += [self._spelled(*text) for text in into.texts(self.dialect, rows)]
            except ValueError as error:  # NUL or half a surrogate pair in a text
                raise unstorable(error, [value for row in rows for value in row]) from error
            return len(rows)
        return sum(int(self.execute(sql, values).rowcount) for sql, values in into.texts(self.dialect, rows))

    def now(self) -> int:
        """The store's clock."""
        if self.fixed:
            return self.fixed
        found = self.row(_NOW)
        assert found is not None
        return int(found[0])

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done inside is taken back when it raises; the transaction goes on."""
        self.execute("SAVEPOINT nexum_inner")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO SAVEPOINT nexum_inner")
            self.execute("RELEASE SAVEPOINT nexum_inner")
            raise
        self.execute("RELEASE SAVEPOINT nexum_inner")


_NOW = Statement("SELECT {now}")
