"""Plain questions of a judge or a report: the states of effects and runs, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Table, func, select

from nexum.store.api import Store
from nexum.store.tables import effect_evidence, effects, events, late_arrivals, runs
from nexum.store.verbs import Verbs

_SLICE = 500


class EffectState(NamedTuple):
    """An effect and where it stands."""

    key: str
    run_id: str
    state: str
    reference: str
    token: int


class Late(NamedTuple):
    """An answer that came when somebody else held the effect; it is kept and decides nothing."""

    key: str
    token: int
    state: str
    reference: str


def effects_of_all(store: Store) -> list[EffectState]:
    """Every effect in the database."""
    assert isinstance(store, Verbs)
    columns = effects.c
    query = select(columns.key, columns.run_id, columns.state, columns.reference, columns.token)
    return [EffectState(*row) for row in store.select(query)]


def evidence_of_all(store: Store) -> list[Late]:
    """Every late answer in the database."""
    assert isinstance(store, Verbs)
    columns = effect_evidence.c
    query = select(columns.key, columns.token, columns.state, columns.reference)
    return [Late(*row) for row in store.select(query)]


def count_of_events(store: Store, type_: str) -> int:
    """How many events of this type there are."""
    return _count(store, events, type_)


def count_of_late(store: Store, type_: str) -> int:
    """How many facts of this type came to runs that had ended."""
    return _count(store, late_arrivals, type_)


def _count(store: Store, table: Table, type_: str) -> int:
    assert isinstance(store, Verbs)
    return int(store.select(select(func.count()).select_from(table).where(table.c.type == type_))[0][0])


def durations(store: Store, run_ids: Sequence[str]) -> list[float]:
    """How long each of these runs took from its start to its end, in seconds; only those that have ended."""
    assert isinstance(store, Verbs)
    found: list[float] = []
    for start in range(0, len(run_ids), _SLICE):
        columns = (runs.c.created_at, runs.c.ended_at)
        query = select(*columns).where(runs.c.run_id.in_(run_ids[start : start + _SLICE]), runs.c.ended_at > 0)
        found.extend((ended - began) / 1e6 for began, ended in store.select(query))
    return found


def statuses(store: Store, run_ids: Sequence[str]) -> dict[str, str]:
    """The status of each of these runs."""
    assert isinstance(store, Verbs)
    found: dict[str, str] = {}
    for start in range(0, len(run_ids), _SLICE):
        query = select(runs.c.run_id, runs.c.status).where(runs.c.run_id.in_(run_ids[start : start + _SLICE]))
        found.update((row[0], row[1]) for row in store.select(query))
    return found
