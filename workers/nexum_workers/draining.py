"""When may a worker of an old version leave: when no run is pinned to it any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from nexum.core.graph.workflow import Graph
from nexum.core.run.state import Phase
from nexum.store.tables import runs

logger = logging.getLogger("nexum.worker")

SAY_EVERY = 30.0  # seconds

_OPEN = tuple(phase.value for phase in Phase if not phase.is_ended)


def open_runs(select: Callable[[object], Sequence[object]], graph: Graph) -> int:
    """How many runs of one version have not ended; `select` is the store's."""
    query = runs.select().with_only_columns(runs.c.run_id)
    mine = runs.c.workflow == graph.workflow, runs.c.version == graph.version
    return len(select(query.where(*mine, runs.c.status.in_(_OPEN))))


class Drained:
    """Asks again and again, and says every half minute how many are left. `clock` counts seconds."""

    def __init__(
        self, select: Callable[[object], Sequence[object]], graphs: Sequence[Graph], clock: Callable[[], float]
    ) -> None:
        self._select = select
        self._graphs = graphs
        self._clock = clock
        self._first: dict[str, int] = {}
        self._said_at = -SAY_EVERY

    def look(self) -> bool:
        """Whether no run is left. Raises `UnavailableError` when the database does not answer."""
        left = {graph.queue: open_runs(self._select, graph) for graph in self._graphs}
        for queue, count in left.items():
            self._first.setdefault(queue, count)
        if any(left.values()) and self._clock() - self._said_at >= SAY_EVERY:
            self._said_at = self._clock()
            for queue, count in left.items():
                logger.info("draining %s: %d of %d left", queue, count, self._first[queue])
        return not any(left.values())
