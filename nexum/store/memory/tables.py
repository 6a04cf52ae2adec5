"""Every table of the schema that a verb of the store touches, with its guards; a test compares them with the schema's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nexum.core.run.breaker import Breaker
from nexum.core.run.events import CELL_TERMINAL, RUN_TERMINAL
from nexum.store.api import EventRow, VersionRow
from nexum.store.memory.rows import (
    Blob,
    DeadLetter,
    Effect,
    Event,
    Evidence,
    LateLetter,
    Letter,
    Run,
    SavedState,
    Session,
    StartKey,
    Task,
    Timer,
)
from nexum.store.memory.table import Table


class Tables:
    """The content of a store in memory. Rows may be read by anybody; they are written by transactions."""

    def __init__(self) -> None:
        self.runs = Table[Run]("nexum_runs", Run._fields, ("run_id",))
        self.start_keys = Table[StartKey]("nexum_start_keys", StartKey._fields, ("tenant", "workflow", "run_key"))
        self.events = Table[Event](
            "nexum_events",
            ("run_id", *EventRow._fields),
            ("run_id", "fact.seq"),
            by_run=True,
            values=lambda row: (row.run_id, *row.fact),
            one_cell_end=_cell_end,
            one_run_end=lambda row: row.run_id if row.fact.type in RUN_TERMINAL else None,
            one_fact=lambda row: (row.run_id, row.fact.dedupe) if row.fact.dedupe else None,
        )
        self.snapshots = Table[SavedState]("nexum_snapshots", SavedState._fields, ("run_id",))
        self.blobs = Table[Blob]("nexum_blobs", Blob._fields, ("tenant", "hash"))
        cell = ("run_id", "path", "visit", "item", "attempt")
        self.tasks = Table[Task]("nexum_tasks", Task._fields, cell, by_run=True)
        self.timers = Table[Timer]("nexum_timers", Timer._fields, ("run_id", "timer"), by_run=True)
        # A row of the inbox is found by its run and fact; the `id`, which is the primary key there, gives the order.
        one = ("run_id", "dedupe")
        self.inbox = Table[Letter]("nexum_inbox", Letter._fields, one, by_run=True)
        self.inbox_dead = Table[DeadLetter]("nexum_inbox_dead", DeadLetter._fields, one)
        self.late_arrivals = Table[LateLetter]("nexum_late_arrivals", LateLetter._fields, one)
        self.effects = Table[Effect](
            "nexum_effects",
            Effect._fields,
            ("tenant", "key"),
            one_business=lambda row: (row.tenant, row.scope, row.business_key) if row.business_key else None,
        )
        once = ("tenant", "key", "token", "state", "result_hash", "reference")
        self.effect_evidence = Table[Evidence]("nexum_effect_evidence", Evidence._fields, once)
        self.versions = Table[VersionRow](
            "nexum_versions",
            VersionRow._fields,
            ("workflow", "version"),
            one_default=lambda row: row.workflow if row.state == "default" else None,
        )
        self.breakers = Table[Breaker]("nexum_breakers", Breaker._fields, ("tenant", "name"))
        self.sessions = Table[Session]("nexum_sessions", Session._fields, ("session",))
        self._numbers: dict[str, int] = {}

    def __iter__(self) -> Iterator[Table[Any]]:
        return (table for table in vars(self).values() if isinstance(table, Table))

    def number(self, table: Table[Any]) -> int:
        """The next `id` of a table; one that was taken back is not given again."""
        self._numbers[table.name] = number = self._numbers.get(table.name, 0) + 1
        return number


def _cell_end(row: Event) -> tuple[Any, ...] | None:
    e = row.fact
    return (row.run_id, e.path, e.visit, e.item) if e.type in CELL_TERMINAL else None
