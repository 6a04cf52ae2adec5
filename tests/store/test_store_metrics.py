"""What a scrape of the metrics reads: retries from an index of their own, however much else has happened."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select

from nexum.store import sums
from nexum.store.rows import INSERT_EVENTS, event_row
from nexum.store.statement import DIALECTS
from nexum.store.sums import RetrySum
from nexum.store.verbs import Verbs
from store_rows import event, start

RUNS, EVENTS = 20, 500
EXPLAIN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}


class Heard:
    """A reader that keeps the query instead of asking it."""

    query: Select[Any]

    def select(self, query: Select[Any]) -> list[tuple[Any, ...]]:
        """Keep it."""
        self.query = query
        return []


@pytest.fixture
def filled(database: Verbs) -> Verbs:
    """Runs with many events, one in each of them a retry."""
    for _ in range(RUNS):
        run_id = start(database).run_id
        types = ["RetryScheduled" if seq == 9 else "NodeScheduled" for seq in range(9, EVENTS)]
        made = [event_row(run_id, event(seq, type=type_)) for seq, type_ in enumerate(types, 9)]
        with database.database.transaction() as tx:
            tx.insert(INSERT_EVENTS, made)
    with database.database.once() as tx:
        tx.execute("ANALYZE")
    return database


def plan(store: Verbs) -> str:
    """How the database would count the retries."""
    heard = Heard()
    sums.retry_sums(heard)
    asked = heard.query.compile(dialect=DIALECTS[store.dialect], compile_kwargs={"render_postcompile": True})
    with store.database.once() as tx:
        rows = tx.execute(f"{EXPLAIN[store.dialect]} {asked}", dict(asked.params)).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


def test_retries_are_counted_by_their_own_index(filled: Verbs) -> None:
    steps = plan(filled)

    assert "nexum_events_retries" in steps
    assert "Seq Scan on nexum_events" not in steps
    assert [row.times for row in sums.retry_sums(filled)] == [RUNS]
    assert isinstance(sums.retry_sums(filled)[0], RetrySum)
