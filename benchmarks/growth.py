"""G1 and G7: what a step costs late in a long history, and how many bytes a large document adds to a history.

Both drive the engine in this process. The long run is one chain of 10,000 computes, so it has 20,000 events and 10,000 settled
cells when its last steps are taken; the state grows with it, as it would for a long agent.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice

import psycopg2

from benchmarks.agents import DOCUMENT
from benchmarks.figures import Figure, Target
from benchmarks.mechanism import Mechanism
from benchmarks.session import Session
from nexum.client.start import StartRequest, start
from nexum.core.graph.nodes import Compute, Handler
from nexum.core.graph.workflow import Graph
from nexum.store.shapes import VersionRow

EARLY = 50  # steps: 100 events
BLOCK, BLOCKS = 20, 8  # steps that are taken in turn, so that both runs see the same neighbours
MEGABYTE = 1_000_000


def measure_steps(session: Session) -> list[Figure]:
    """G1: one long run, and beside it a fresh one in each round."""
    length = session.pick(10_000, 1_000)
    figure = Figure("G1", f"step at event {2 * length:,} against event 100", "times", targets=(Target(1.3),))
    graph = _long_chain(length)
    rounds = session.pick(3, 2)
    with Mechanism(session.places.postgres()) as engine:
        row = VersionRow(graph.workflow, graph.version, "default", graph.data, "", "", "bench", 0)
        engine.store.register(row, make_default=True)
        session.say("G1, writing the long history")
        late = _after(engine, graph, length - rounds * BLOCK * BLOCKS - 1)
        for _ in session.rounds("G1", rounds, rounds, 60):
            early = _after(engine, graph, EARLY)
            pairs = [(_block(early), _block(late)) for _ in range(BLOCKS)]
            figure.add(_median(block for _, block in pairs) / _median(block for block, _ in pairs))
    return [figure]


def _after(engine: Mechanism, graph: Graph, steps: int) -> Iterator[float]:
    """A run that has taken so many steps, as the milliseconds of those that follow."""
    start(engine.store, StartRequest(graph.workflow, {}))
    (claimed,) = engine.store.claim(engine.session, [graph.queue], 1)
    following = engine.steps(engine.engine.begin(claimed))
    for _ in islice(following, steps):
        pass
    return following


def _block(steps: Iterator[float]) -> list[float]:
    return list(islice(steps, BLOCK))


def _median(blocks: Iterable[list[float]]) -> float:
    return statistics.median(spent for block in blocks for spent in block)


def _long_chain(length: int) -> Graph:
    """Built without the SDK: ten thousand handlers have nothing to say here."""
    nodes = (
        Compute(id=f"n{i}", handler=Handler(ref=f"bench:n{i}"), output={}, after=(f"n{i - 1}",) if i else ())
        for i in range(length)
    )
    return Graph(workflow="BenchLong", input={}, nodes=tuple(nodes), result=(f"n{length - 1}",))


def measure_document(session: Session) -> list[Figure]:
    """G7."""
    figure = Figure("G7", "events and tasks of a run with a 10 MB document", "KiB", targets=(Target(16.0),))
    session.say("G7")
    url = session.places.postgres()
    with Mechanism(url) as engine, closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        work = engine.begin(DOCUMENT, {"text": "x" * 10 * MEGABYTE})
        most = _bytes(connection)
        for _ in engine.steps(work):
            most = max(most, _bytes(connection))
        figure.add(max(most, _bytes(connection)) / 1024)
    return [figure]


def _bytes(connection: psycopg2.extensions.connection) -> int:
    """What the rows take, compressed as they are stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT coalesce(sum(pg_column_size(e.*)), 0) FROM nexum_events e)"
            " + (SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM nexum_tasks t)"
        )
        (size,) = cursor.fetchone() or (0,)
        return int(size)
