"""Effects in doubt, read for whoever decides about them: which there are, and one by its key or its place in a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, literal, select

from nexum.store.holding import held_in_doubt
from nexum.store.reading import OPEN, Reader
from nexum.store.rows import clean
from nexum.store.tables import effect_evidence, effects, events, runs, sessions


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


class EvidenceRow(NamedTuple):
    """What a process reported about an effect that was no longer its own: kept, never applied."""

    state: str
    session: str
    reference: str
    at: int


class ClaimerRow(NamedTuple):
    """The process that claimed an effect last. `ended_at` is 0 while it lives; `proof` says how its death is known."""

    session: str
    host: str
    pid: int
    ended_at: int
    proof: str


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


def effects_named(store: Reader, beginning: str, *, tenant: str = "", limit: int = 6) -> list[DoubtRow]:
    """The effects whose key begins so, in doubt or not; only those of a tenant when it is named."""
    whose = (effects.c.tenant == clean(tenant),) if tenant else ()
    return _read(store, effects.c.key.startswith(clean(beginning), autoescape=True), *whose, limit=limit)


def evidence_of(store: Reader, tenant: str, key: str) -> list[EvidenceRow]:
    """The reports about an effect that came too late, the oldest first."""
    its = effect_evidence.c
    chosen = select(*(its[name] for name in EvidenceRow._fields)).where(its.tenant == tenant, its.key == key)
    return [EvidenceRow(*row) for row in store.select(chosen.order_by(its.at, its.id).limit(100))]


def half_decided(store: Reader, run_ids: Sequence[str]) -> dict[tuple[str, str, int, int], str]:
    """Where somebody has decided and a second person has not, by run, path, visit and item: who has."""
    if not run_ids:
        return {}
    its = events.c
    chosen = (
        select(its.run_id, its.path, its.visit, its.item, its.type, its.actor)
        .where(its.run_id.in_(sorted(set(run_ids))), its.type.in_(("EffectInDoubt", "DoubtProposed")))
        .order_by(its.run_id, its.seq)
    )
    return {
        (run_id, path, visit, item): actor if kind == "DoubtProposed" else ""
        for run_id, path, visit, item, kind, actor in store.select(chosen)
    }


def effect_of(store: Reader, key: str) -> tuple[DoubtRow, ClaimerRow | None] | None:
    """The effect of this whole key, and who claimed it last: None when nothing is known of that process any more."""
    chosen = (
        select(*_COLUMNS, *(sessions.c[name] for name in ClaimerRow._fields))
        .join(runs, runs.c.run_id == effects.c.run_id)
        .join(sessions, effects.c.session == sessions.c.session, isouter=True)
        .where(effects.c.key == clean(key))
    )
    found = store.select(chosen)
    if not found:
        return None
    row, claimer = found[0][: len(_COLUMNS)], found[0][len(_COLUMNS) :]
    return DoubtRow(*row), ClaimerRow(*claimer) if claimer[0] is not None else None


def count_doubts(store: Reader, *, most: int = 100) -> int:
    """How many effects are in doubt; never more than `most` + 1."""
    held = (
        select(literal(1).label("one"))
        .select_from(effects.join(runs, runs.c.run_id == effects.c.run_id))
        .where(held_in_doubt(), runs.c.status.in_(OPEN))
        .limit(most + 1)
    )
    return int(store.select(select(func.count()).select_from(held.subquery()))[0][0])


def _read(store: Reader, *conditions: ColumnElement[bool], limit: int = 1_000) -> list[DoubtRow]:
    chosen = (
        select(*_COLUMNS)
        .join(runs, runs.c.run_id == effects.c.run_id)
        .where(and_(*conditions))
        .order_by(effects.c.claimed_at, effects.c.key)
        .limit(limit)
    )
    return [DoubtRow(*row) for row in store.select(chosen)]
