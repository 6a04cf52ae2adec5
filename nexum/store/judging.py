"""Plain questions of a judge or a report: the states of effects and runs, read from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from nexum.store.api import Store
from nexum.store.tables import effects, runs
from nexum.store.verbs import Verbs

_SLICE = 500


class EffectState(NamedTuple):
    """An effect and where it stands."""

    key: str
    run_id: str
    state: str
    reference: str


def effects_of_all(store: Store) -> list[EffectState]:
    """Every effect in the database."""
    assert isinstance(store, Verbs)
    columns = effects.c
    query = select(columns.key, columns.run_id, columns.state, columns.reference)
    return [EffectState(*row) for row in store.select(query)]


def statuses(store: Store, run_ids: Sequence[str]) -> dict[str, str]:
    """The status of each of these runs."""
    assert isinstance(store, Verbs)
    found: dict[str, str] = {}
    for start in range(0, len(run_ids), _SLICE):
        query = select(runs.c.run_id, runs.c.status).where(runs.c.run_id.in_(run_ids[start : start + _SLICE]))
        found.update((row[0], row[1]) for row in store.select(query))
    return found
