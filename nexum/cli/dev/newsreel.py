"""One line for every run that begins or ends while somebody watches."""

from __future__ import annotations

import time

from nexum.cli.answer import Paper, duration
from nexum.core.ids import short
from nexum.errors import UnavailableError
from nexum.readouts.situation import has_ended
from nexum.store import reading
from nexum.store.api import Store
from nexum.store.reading import RunQuery, RunRow
from nexum.store.verbs import Verbs

EVERY = 0.5  # seconds between two looks
PAGE = 50


class Newsreel:
    """Tells about runs that are newer than itself."""

    def __init__(self, store: Store, paper: Paper) -> None:
        assert isinstance(store, Verbs)
        self._store = store
        self._paper = paper
        self._told: dict[str, str] = {row.run_id: row.status for row in self._newest()}
        self._next = 0.0

    def look(self) -> None:
        """Tell what has changed; a database that does not answer is told about by those who need it."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        try:
            found = self._newest()
        except UnavailableError:
            return
        for row in reversed(found):
            if self._told.get(row.run_id) != row.status:
                self._paper.line(self._line(row))
        self._told = {row.run_id: row.status for row in found}

    def _newest(self) -> list[RunRow]:
        return reading.list_runs(self._store, RunQuery(), limit=PAGE)

    def _line(self, row: RunRow) -> str:
        at = self._paper.at(row.ended_at or row.created_at)
        took = f"in {duration(row.ended_at - row.created_at)}" if has_ended(row.status) else ""
        name = f"{row.workflow}@{short(row.version)}"
        return "  ".join(filter(None, (at, f"run {row.run_id[-8:]}", name, row.status.lower(), took, row.run_key)))
