"""Where somebody outside stands who has something to say about a run: its mail is folded before and after."""

from __future__ import annotations

from nexum.broker.doorbell import Doorbell
from nexum.engine.draining import drain
from nexum.engine.graphs import Graphs
from nexum.engine.loading import load
from nexum.engine.memory import Known
from nexum.errors import NexumError
from nexum.store.api import Store


class Desk:
    """Folds one run's mail, and rings for what became ready."""

    def __init__(self, store: Store, run_id: str, doorbell: Doorbell | None) -> None:
        self._store, self._run_id, self._doorbell = store, run_id, doorbell
        self._graphs = Graphs(store)

    def fold(self) -> Known:
        """The run with its mail, or as it stands while somebody else folds it. Raises `NexumError` NX-R404."""
        done = drain(self._store, self._graphs, self._run_id, known=None, wait=True, clock=self._store.now)
        if self._doorbell is not None:
            for queue, key in done.ready:
                self._doorbell.ring(queue, key)
        known = done.known or load(self._store, self._graphs, self._run_id)
        if known is None:
            raise NexumError(f"there is no run {self._run_id}", code="NX-R404")
        return known
