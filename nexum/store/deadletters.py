"""Dead letters, read from the events themselves: runs that failed, and nodes that wait for a person after their last attempt.

There is no queue and no copy that could go wrong: an index over those two kinds of event finds them, newest first. The only
thing that is stored is what people have decided, by group: rows that are added and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, literal, not_, or_, select, tuple_

from nexum.core.run.events import DEAD
from nexum.store.reading import OPEN, Reader
from nexum.store.rows import clean
from nexum.store.statement import Statement
from nexum.store.tables import events, group_decisions, runs, versions
from nexum.store.verbs import Verbs

_DECIDE = Statement("""
    INSERT INTO nexum_group_decisions (tenant, fingerprint, what, value, until, actor, reason, at)
    VALUES (:tenant, :fingerprint, :what, :value, :until, :actor, :reason, {now})""")


class LetterRow(NamedTuple):
    """The end that made a dead letter, with its run. `body` is the event's; `at` is in microseconds."""

    run_id: str
    seq: int
    type: str
    path: str
    visit: int
    item: int
    at: int
    body: bytes
    tenant: str
    workflow: str
    version: str
    run_key: str
    subject: str
    status: str


class DecisionRow(NamedTuple):
    """What somebody has decided about a group: ignore until an instant (0: until `notice`), acknowledge, assign or fixed.

    `value` is the user, or the version. Times are microseconds.
    """

    tenant: str
    fingerprint: str
    what: str
    value: str
    until: int
    actor: str
    reason: str
    at: int = 0


_COLUMNS = (
    *(events.c[name] for name in LetterRow._fields[:8]),
    *(runs.c[name] for name in LetterRow._fields[8:]),
)


PAGE = 1_000  # dead letters of one query, where all are wanted


def letters(
    store: Reader,
    *,
    workflow: str = "",
    tenant: str = "",
    run_id: str = "",
    waiting: bool = False,
    after: LetterRow | None = None,
    limit: int = 5_000,
) -> list[LetterRow]:
    """The dead letters, the newest first; only those of a workflow, a tenant or a run when it is named.

    A parked node counts until something follows for it; its run's own failure then stands for it. `waiting`: parked nodes
    only. The list goes on behind the letter `after`.
    """
    later = events.alias("later")
    same = and_(*(later.c[name] == events.c[name] for name in ("run_id", "path", "visit", "item")))
    followed = exists().where(later.c.run_id == events.c.run_id, later.c.seq > events.c.seq, same).correlate(events)
    parked = and_(events.c.type == "NodeParked", not_(followed), runs.c.status.in_(OPEN))
    given = {runs.c.workflow: workflow, runs.c.tenant: tenant, runs.c.run_id: run_id}
    chosen = (
        select(*_COLUMNS)
        .join(runs, runs.c.run_id == events.c.run_id)
        .where(events.c.type.in_(sorted(DEAD)), parked if waiting else or_(events.c.type == "RunFailed", parked))
        .where(*(column == clean(value) for column, value in given.items() if value))
        .order_by(events.c.at.desc(), events.c.run_id, events.c.seq)
        .limit(limit)
    )
    if after is not None:
        behind = tuple_(events.c.run_id, events.c.seq) > tuple_(literal(after.run_id), literal(after.seq))
        chosen = chosen.where(or_(events.c.at < after.at, and_(events.c.at == after.at, behind)))
    return [LetterRow(*row)._replace(body=bytes(row[7])) for row in store.select(chosen)]


def older_waiting(store: Reader, after: LetterRow, *, workflow: str = "", tenant: str = "") -> Iterator[LetterRow]:
    """Every parked node behind a letter, the newest first, however many there are."""
    page = [after]
    while page:
        page = letters(store, workflow=workflow, tenant=tenant, waiting=True, after=page[-1], limit=PAGE)
        yield from page


def last_failure(store: Reader, run_id: str, path: str) -> bytes | None:
    """The body of the last failed attempt of a node, which holds the handler's traceback; None when there was none."""
    chosen = (
        select(events.c.body)
        .where(events.c.run_id == clean(run_id), events.c.path == clean(path), events.c.type == "AttemptFailed")
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    found = store.select(chosen)
    return bytes(found[0][0]) if found else None


def group_decisions_of(store: Reader, tenant: str = "", fingerprint: str = "") -> list[DecisionRow]:
    """Everything that was decided about groups, the oldest first; only about one group when it is named."""
    its = group_decisions.c
    chosen = select(*(its[name] for name in DecisionRow._fields)).order_by(its.id)
    given = {its.tenant: tenant, its.fingerprint: fingerprint}
    narrow = [column == clean(value) for column, value in given.items() if value]
    return [DecisionRow(*row) for row in store.select(chosen.where(*narrow))]


def registrations(store: Reader) -> dict[tuple[str, str], int]:
    """When each version of each workflow was registered, in microseconds."""
    its = versions.c
    found = store.select(select(its.workflow, its.version, its.registered_at))
    return {(workflow, version): int(at) for workflow, version, at in found}


def add_group_decision(store: Verbs, row: DecisionRow) -> None:
    """Keep what somebody has decided; `at` is the store's clock."""
    values: dict[str, Any] = {name: clean(value) for name, value in row._asdict().items() if isinstance(value, str)}
    with store.database.joined() as tx:
        tx.run(_DECIDE, **values, until=row.until)
