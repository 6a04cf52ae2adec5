"""Effects in doubt, read for whoever decides about them: which there are, and one by its key or its place in a run."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, select

from nexum.store.reading import OPEN, Reader, held_in_doubt
from nexum.store.rows import clean
from nexum.store.tables import effects, runs


class DoubtRow(NamedTuple):
    """An effect with its run; times are microseconds. `state` is the effect's, `status` the run's."""

    tenant: str
    key: str
    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    state: str
    tool: str
    policy: str
    business_key: str
    first_sent_at: int
    claimed_at: int
    reference: str
    workflow: str
    version: str
    run_key: str
    subject: str
    status: str


_COLUMNS = (
    *(effects.c[name] for name in DoubtRow._fields[:14]),
    *(runs.c[name] for name in DoubtRow._fields[14:]),
)


def doubts(
    store: Reader, *, workflow: str = "", tenant: str = "", run_id: str = "", limit: int = 1_000
) -> list[DoubtRow]:
    """The effects in doubt of open runs, the oldest first; only those of a workflow, a tenant or a run when named."""
    given = {runs.c.workflow: workflow, runs.c.tenant: tenant, runs.c.run_id: run_id}
    narrow = [column == clean(value) for column, value in given.items() if value]
    return _read(store, held_in_doubt(), runs.c.status.in_(OPEN), *narrow, limit=limit)


def effects_at(store: Reader, run_id: str, path: str = "") -> list[DoubtRow]:
    """The effects of a run, in doubt or not; only those of a node when it is named."""
    place = (effects.c.path == clean(path),) if path else ()
    return _read(store, effects.c.run_id == run_id, *place)


def effects_named(store: Reader, beginning: str, *, limit: int = 6) -> list[DoubtRow]:
    """The effects whose key begins so, in doubt or not."""
    return _read(store, effects.c.key.startswith(clean(beginning), autoescape=True), limit=limit)


def _read(store: Reader, *conditions: ColumnElement[bool], limit: int = 1_000) -> list[DoubtRow]:
    chosen = (
        select(*_COLUMNS)
        .join(runs, runs.c.run_id == effects.c.run_id)
        .where(and_(*conditions))
        .order_by(effects.c.claimed_at, effects.c.key)
        .limit(limit)
    )
    return [DoubtRow(*row) for row in store.select(chosen)]
