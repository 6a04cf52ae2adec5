"""One transaction on tables in memory: it writes in place, knows how to take it back, and holds what it wrote.

A transaction that stays open across round trips is parked between them: what it wrote is taken out of the tables, and
written again when it goes on. That is safe because nobody else may write, meanwhile, a row that it wrote, or a value of a
guard that such a row has or had.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from nexum.errors import InternalError, UnavailableError
from nexum.store.failures import unstorable
from nexum.store.memory.table import R, Table
from nexum.store.memory.tables import Tables


class Change(NamedTuple):
    """One row as it was and as it is; None where there was, or is, no row."""

    table: Table[Any]
    key: Any
    before: Any
    after: Any


class Transaction:
    """Writes on `tables`. `held` says which open transaction holds what; `clock` gives microseconds since 1970."""

    __slots__ = ("_changes", "_clock", "_held", "_mine", "now", "tables")

    def __init__(self, tables: Tables, held: dict[Hashable, Transaction], clock: Callable[[], int]) -> None:
        self.tables = tables
        self.now = clock()
        self._clock = clock
        self._held = held
        self._changes: list[Change] = []
        self._mine: set[Hashable] = set()

    def insert(self, table: Table[R], row: R) -> None:
        """Add a row. Raises `InternalError` NX-S105 when its key or a guard does not allow it."""
        guard = self._add(table, row)
        if guard:
            raise InternalError(f"{guard} refuses the row {row!r:.300}", code="NX-S105")

    def keep(self, table: Table[R], row: R) -> bool:
        """Add a row if its key and every guard allow it."""
        return not self._add(table, row)

    def update(self, table: Table[R], row: R, **values: Any) -> R:
        """Change columns of a row; gives the new row. Raises as `insert`, and NX-S104 when somebody holds the row."""
        key, new = table.key(row), row._replace(**values)  # type: ignore[attr-defined]
        _check_texts(values)
        after = table.key(new)
        if after != key:
            self.delete(table, row)
            self.insert(table, new)
            return new  # type: ignore[no-any-return]
        self._refuse_held(table, key, row, new)
        guard = table.refuses(key, new)
        if guard:
            raise InternalError(f"{guard} refuses the row {new!r:.300}", code="NX-S105")
        self._put(table, key, row, new)
        return new  # type: ignore[no-any-return]

    def delete(self, table: Table[R], row: R) -> None:
        """Remove a row. Raises `UnavailableError` NX-S104 when somebody holds it."""
        key = table.key(row)
        self._refuse_held(table, key, row)
        self._put(table, key, row, None)

    def lock(self, table: Table[R], key: Any) -> None:
        """Hold a row until the end. Raises `UnavailableError` NX-S104 when somebody else does."""
        self._refuse_held(table, key)
        self._mine.add((table.name, key))
        self._held[table.name, key] = self

    def may_lock(self, table: Table[R], key: Any) -> bool:
        """Whether nobody else holds a row."""
        return self._held.get((table.name, key), self) is self

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is done inside is taken back when it raises; the transaction goes on."""
        mark = len(self._changes)
        try:
            yield
        except BaseException:
            self._undo(mark)
            raise

    def park(self) -> None:
        """Take what was written out of the tables, and hold it until the end; `resume` comes before anything else."""
        for table, key, before, after in self._changes:
            self._mine.update(_names(table, key, *(row for row in (before, after) if row is not None)))
        self._held.update(dict.fromkeys(self._mine, self))
        for table, key, before, _ in reversed(self._changes):
            table.put(key, before)

    def resume(self) -> None:
        """Write again what was parked; the clock has gone on."""
        self.now = self._clock()
        for table, key, _, after in self._changes:
            table.put(key, after)

    def commit(self) -> list[Change]:
        """End; gives what has changed, in order."""
        self._let_go()
        return self._changes

    def roll_back(self) -> None:
        """End, and take everything back."""
        self._undo(0)
        self._let_go()

    def _add(self, table: Table[R], row: R) -> str:
        """Add a row; gives the guard that refuses it."""
        values = table.values(row)
        for value in values:
            if value.__class__ is str and not value.isprintable():
                _check_texts(dict(zip(table.columns, values, strict=True)))
        key = table.key(row)
        self._refuse_held(table, key, row)
        guard = f"{table.name}_pkey" if key in table.rows else table.refuses(key, row)
        if not guard:
            self._put(table, key, None, row)
        return guard

    def _put(self, table: Table[R], key: Any, before: R | None, after: R | None) -> None:
        table.put(key, after)
        self._changes.append(Change(table, key, before, after))

    def _undo(self, mark: int) -> None:
        while len(self._changes) > mark:
            table, key, before, _ = self._changes.pop()
            table.put(key, before)

    def _refuse_held(self, table: Table[R], key: Any, *rows: R) -> None:
        if self._held:
            for name in _names(table, key, *rows):
                if self._held.get(name, self) is not self:
                    raise UnavailableError(f"another transaction holds {name!r}", code="NX-S104")

    def _let_go(self) -> None:
        for name in self._mine:
            del self._held[name]
        self._mine.clear()


def _names(table: Table[R], key: Any, *rows: R) -> Iterator[Hashable]:
    """What is held with a row: its key, and its values of the guards."""
    yield table.name, key
    for guard, of in table.guards:
        for row in rows:
            value = of(row)
            if value is not None:
                yield guard, value


def _check_texts(values: dict[str, Any]) -> None:
    """Raises `InputError` NX-S107 for a text that no text column can hold."""
    for name, value in values.items():
        if value.__class__ is str and ("\x00" in value or not value.isascii()):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise unstorable(error, {name: value}) from error
            if "\x00" in value:
                raise unstorable(ValueError(value), {name: value})
