"""The store on a SQLite file: for development, the demo and tests. One writer at a time, every commit on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nexum.store import log
from nexum.store.draining import HeldRun
from nexum.store.verbs import Verbs


class SqliteStore(Verbs):
    """`api.Store` on SQLite. `drain` has the whole file; `wait` makes no difference, other writers are short."""

    @contextmanager
    def drain(self, run_id: str, *, wait: bool) -> Iterator[HeldRun | None]:
        """Lock the file and read the run; None when it does not exist."""
        with self.database.transaction() as tx:
            head = log.head(tx, run_id)
            yield HeldRun(tx, head) if head else None

    @contextmanager
    def drain_within(self, run_id: str) -> Iterator[HeldRun | None]:
        """Read the run inside the caller's transaction, which has the file once it has written."""
        with self.database.joined() as tx:
            head = log.head(tx, run_id)
            yield HeldRun(tx, head) if head else None
