"""G1 and G7: what a step costs late in a long history, and how many bytes a large document adds to a history.

Both drive the engine in this process. The long run is one chain of 10,000 computes, so it has 20,000 events and 10,000 settled
cells when its last steps are taken; the state grows with it, as it would for a long agent.
"""

from __future__ import annotations

import statistics
from contextlib import closing

import psycopg2

from benchmarks.agents import DOCUMENT
from benchmarks.figures import Figure, Target
from benchmarks.mechanism import Mechanism
from benchmarks.session import Session
from nexum.client.start import StartRequest, start
from nexum.core.graph.nodes import Compute, Handler
from nexum.core.graph.workflow import Graph
from nexum.store.shapes import VersionRow

EARLY, WINDOW = 50, 200  # events 100 to 500
MEGABYTE = 1_000_000


def measure_steps(session: Session) -> list[Figure]:
    """G1."""
    figure = Figure("G1", "step at event 20,000 against event 100", "times", targets=(Target(1.3),))
    length, rounds = session.pick(10_000, 1_000), session.pick(2, 1)
    if session.quick:
        figure.title = "step at event 2,000 against event 100 (quick)"
    graph = _long_chain(length)
    with Mechanism(session.places.postgres()) as engine:
        row = VersionRow(graph.workflow, graph.version, "default", graph.data, "", "", "bench", 0)
        engine.store.register(row, make_default=True)
        for number in range(rounds):
            session.say(f"G1, round {number + 1} of {rounds}")
            start(engine.store, StartRequest(graph.workflow, {}))
            (claimed,) = engine.store.claim(engine.session, [graph.queue], 1)
            spent = list(engine.steps(engine.engine.begin(claimed)))
            early, late = spent[EARLY : EARLY + WINDOW], spent[-WINDOW:]
            figure.add(statistics.median(late) / statistics.median(early))
            figure.notes["mean instead of median"] = round(statistics.fmean(late) / statistics.fmean(early), 2)
    return [figure]


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
