"""Counts that commands ask for: runs in flight on a version, live processes that serve a queue."""

from __future__ import annotations

from nexum.core.run.state import Phase
from nexum.readouts.situation import Crew
from nexum.store.api import Store
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs

_ENDED = ", ".join(f"'{phase}'" for phase in sorted(Phase) if phase.is_ended)
_IN_FLIGHT = Statement(f"""
    SELECT count(*) FROM nexum_runs
     WHERE workflow = :workflow AND version = :version AND status NOT IN ({_ENDED})""")  # noqa: S608 (our own words)


def in_flight(store: Store, workflow: str, version: str) -> int:
    """Runs of a version that have not ended."""
    assert isinstance(store, Verbs)
    with store.database.once() as tx:
        found = tx.row(_IN_FLIGHT, workflow=workflow, version=version)
    return int(found[0]) if found else 0


def serving(store: Store, queue: str) -> int:
    """Live worker processes that serve a queue."""
    return Crew(store.sessions(), store.now()).serving(queue)
