"""One table in memory: rows by primary key, unique guards, and the rows of each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Generic, TypeVar

R = TypeVar("R", bound=tuple[Any, ...])
Of = Callable[[R], Any]


class Table(Generic[R]):
    """Rows by primary key. `once` names the guards: each gives the value that one row alone may have, or None.

    `key` may name attributes of a row's parts. With `by_run` the rows of one run are found without looking at others.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        key: tuple[str, ...],
        *,
        by_run: bool = False,
        values: Of[R] | None = None,
        **once: Of[R],
    ) -> None:
        self.name = name
        self.columns = columns
        self.primary = tuple(name.rpartition(".")[2] for name in key)
        self.key: Of[R] = attrgetter(*key)
        self.values: Of[R] = values or tuple  # a row's columns
        self.guards = tuple((f"{name}_{guard}", of) for guard, of in once.items())
        self.rows: dict[Any, R] = {}
        self._standing: dict[str, dict[Any, Any]] = {guard: {} for guard, _ in self.guards}
        self._runs: dict[str, dict[Any, None]] | None = {} if by_run else None

    def get(self, *key: Any) -> R | None:
        """The row of this primary key."""
        return self.rows.get(key if len(key) > 1 else key[0])

    def having(self, guard: str, value: Any) -> R | None:
        """The row that has this value of a guard."""
        key = self._standing[f"{self.name}_{guard}"].get(value)
        return None if key is None else self.rows[key]

    def of_run(self, run_id: str) -> list[R]:
        """The rows of a run; whoever needs an order sorts them."""
        assert self._runs is not None
        return [self.rows[key] for key in self._runs.get(run_id, ())]

    def latest(self, run_id: str) -> Iterator[R]:
        """The rows of a run, the last that was added first."""
        assert self._runs is not None
        return (self.rows[key] for key in reversed(self._runs.get(run_id, {})))

    def refuses(self, key: Any, row: R) -> str:
        """The guard that does not let this row stand under this key; '' when none minds."""
        for guard, of in self.guards:
            value = of(row)
            if value is not None and self._standing[guard].get(value, key) != key:
                return guard
        return ""

    def put(self, key: Any, row: R | None) -> None:
        """Let this row stand under a key, or none."""
        before = self.rows.get(key)
        for guard, of in self.guards:
            was, will = None if before is None else of(before), None if row is None else of(row)
            if was != will:
                if was is not None:
                    del self._standing[guard][was]
                if will is not None:
                    self._standing[guard][will] = key
        if self._runs is not None:
            if row is None:
                del self._runs[key[0]][key]
            elif before is None:
                self._runs.setdefault(key[0], {})[key] = None
        if row is None:
            del self.rows[key]
        else:
            self.rows[key] = row
