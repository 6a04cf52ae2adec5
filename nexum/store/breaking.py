"""The rows of circuit breakers: read with the clock, written only over the revision that was read. The same on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from nexum.core.run.breaker import Breaker
from nexum.store.reading import Reader
from nexum.store.rows import clean
from nexum.store.statement import Insert, Statement, Transaction
from nexum.store.tables import breakers

_COLUMNS = ", ".join(f"b.{name}" for name in Breaker._fields)
_READ = Statement(f"""
    SELECT c.now, {_COLUMNS} FROM (SELECT {{now}} AS now) c
      LEFT JOIN nexum_breakers b ON b.tenant = :tenant AND b.name = :name""")  # noqa: S608 (our own names)
_NEW = Insert(breakers, keep=True)
_SET = ", ".join(f"{name} = :{name}" for name in Breaker._fields[2:-1])
_KEEP = Statement(f"""
    UPDATE nexum_breakers SET {_SET}, revision = revision + 1
     WHERE tenant = :tenant AND name = :name AND revision = :revision""")  # noqa: S608


def read(tx: Transaction, tenant: str, name: str) -> tuple[Breaker, int]:
    """A breaker and the store's clock; one that nobody has written is closed."""
    found = tx.row(_READ, tenant=clean(tenant), name=clean(name))
    assert found is not None
    now, *values = found
    return (Breaker(clean(tenant), clean(name)) if values[0] is None else of_row(values)), int(now)


def keep(tx: Transaction, row: Breaker) -> bool:
    """Write a breaker over the revision that it was read at; False when somebody was faster."""
    values: dict[str, Any] = {**row._asdict(), **_texts(row)}
    if row.revision:
        return tx.run(_KEEP, **values) > 0
    return tx.insert(_NEW, [tuple({**values, "revision": 1}.values())]) > 0


def every_breaker(store: Reader) -> list[Breaker]:
    """Every breaker that was ever written."""
    columns = (breakers.c[name] for name in Breaker._fields)
    return [of_row(row) for row in store.select(select(*columns).order_by(breakers.c.tenant, breakers.c.name))]


def named(store: Reader, tenant: str, names: Sequence[str]) -> list[Breaker]:
    """The breakers of these names that were ever written."""
    if not names:
        return []
    its = breakers.c
    chosen = select(*(its[name] for name in Breaker._fields)).where(its.tenant == tenant, its.name.in_(names))
    return [of_row(row) for row in store.select(chosen)]


def of_row(values: Sequence[Any]) -> Breaker:
    """A row of the table as a value; the instants of failures stand as text, separated by blanks."""
    row = Breaker(*values)
    return row._replace(failures=tuple(map(int, str(row.failures).split())))


def _texts(row: Breaker) -> dict[str, str]:
    texts = {name: clean(getattr(row, name)) for name in ("tenant", "name", "forced", "actor", "reason")}
    return {**texts, "failures": " ".join(map(str, row.failures))}
