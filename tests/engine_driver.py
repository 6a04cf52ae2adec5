"""Executes work without Celery: claims, begins, finishes, with handlers given as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nexum.broker.doorbell import NullDoorbell
from nexum.client.start import StartRequest, start
from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell
from nexum.core.run.state import State
from nexum.core.values import INLINE_MAX
from nexum.engine.engine import Engine
from nexum.engine.loading import load, read_payload
from nexum.engine.memory import SNAPSHOT_EVERY
from nexum.engine.sweep import Sweeper
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.store.api import EventRow, SessionRow, Started, Store, VersionRow

Handler = Callable[[Work], object]


def register(store: Store, graph: Graph) -> None:
    """Make a graph its workflow's default version."""
    row = VersionRow(graph.workflow, graph.version, "default", graph.data, "", "", "test", store.now())
    store.register(row, make_default=True)


@dataclass
class Driver:
    """One session that executes whatever it claims; `calls` are the works in the order of execution."""

    store: Store
    session: str = "s1"
    handlers: dict[str, Handler] = field(default_factory=dict)
    calls: list[Work] = field(default_factory=list)
    inline_max: int = INLINE_MAX
    snapshot_every: int = SNAPSHOT_EVERY
    always_drain: bool = False
    lease: int = 15_000_000

    def __post_init__(self) -> None:
        self.engine = Engine(
            self.store,
            session=self.session,
            doorbell=NullDoorbell(),
            inline_max=self.inline_max,
            snapshot_every=self.snapshot_every,
            always_drain=self.always_drain,
        )
        now = self.store.now()
        self.store.open_session(
            SessionRow(self.session, "worker", "here", 1, 1, (), 1, now, now, 0, "LIVE", self.lease)
        )

    def start(self, graph: Graph, value: object = 1, run_key: str = "") -> Started:
        """Register the graph and start a run."""
        register(self.store, graph)
        return start(self.store, StartRequest(graph.workflow, value, run_key=run_key), inline_max=self.inline_max)

    def execute(self, work: Work) -> Outcome:
        """The outcome of one attempt: the handler's value, or the `Failed` that it returned; default: the inputs' sum."""
        self.calls.append(work)
        handler = self.handlers.get(work.node.id)
        value = handler(work) if handler else total(work)
        return value if isinstance(value, Failed | Succeeded) else Succeeded(canonical_bytes(value))

    def claim(self, graph: Graph, limit: int = 1) -> list[Work]:
        """Claim and begin."""
        claims = self.store.claim(self.session, [graph.queue], limit)
        return [work for claimed in claims if (work := self.engine.begin(claimed)) is not None]

    def play(self, graph: Graph, *, keep: bool = True) -> None:
        """Execute until nothing is ready."""
        while works := self.claim(graph):
            for work in works:
                self.go_on(work, keep=keep)

    def go_on(self, work: Work, *, keep: bool = True) -> None:
        """Execute a work and what follows inline."""
        following: Work | None = work
        while following is not None:
            following = self.engine.finish(following, self.execute(following), keep=keep)

    def state(self, run_id: str) -> State:
        """The run folded from its events."""
        known = load(self.store, self.engine.graphs, run_id)
        assert known is not None
        return known.state

    def output(self, run_id: str, node: str) -> bytes:
        """The recorded output of a node, wherever it lies."""
        known = load(self.store, self.engine.graphs, run_id)
        assert known is not None
        ref = known.state.cells[Cell(node)].output
        assert ref is not None
        return read_payload(self.store, known, ref)

    def sweep(self, **options: int) -> None:
        """One sweep."""
        Sweeper(self.store, NullDoorbell(), **options).run_once()

    def types(self, run_id: str) -> list[str]:
        """The types of a run's events, in order."""
        return [row.type for row in self.events(run_id)]

    def events(self, run_id: str) -> list[EventRow]:
        """A run's events."""
        return list(self.store.events_after(run_id, 0))


def total(work: Work) -> int:
    """One more than the sum of the inputs."""
    return 1 + sum(from_bytes(data) for _, data in work.inputs if data is not None)
