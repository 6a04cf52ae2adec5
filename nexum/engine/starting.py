"""A new run: its first event, what follows from it, and the rows, built in memory before any statement."""

from __future__ import annotations

from nexum.core.canonical import from_bytes
from nexum.core.graph.workflow import Graph
from nexum.core.run.advance import settle
from nexum.core.run.codec import GENESIS
from nexum.core.run.events import RunStarted
from nexum.core.run.fold import Event, fold
from nexum.core.run.plan import plan_of
from nexum.core.run.state import State
from nexum.core.values import Ref
from nexum.engine.changes import changes
from nexum.engine.seal import seal
from nexum.store.api import StartRow


def start_row(
    graph: Graph,
    *,
    run_id: str,
    tenant: str,
    run_key: str,
    data: bytes,
    input_ref: Ref,
    now: int,
    subject: str = "",
    trace: str = "",
    actor: str = "",
    priority: int = 0,
) -> StartRow:
    """The row of a run that starts now. `data` are the canonical bytes of the input, `input_ref` says where they go."""
    plan = plan_of(graph)
    empty = State(run_id, tenant=tenant)
    first = Event(1, now, RunStarted(graph.workflow, graph.version, input_ref, run_key))
    values = {input_ref.hash: from_bytes(data)}
    grown = settle(plan, fold(empty, first), (first,), values)
    payload = b"" if input_ref.seq == 0 else data
    rows = seal(empty, GENESIS, grown.events, dedupe="start", payload=payload, actor=actor or "start", trace=trace)
    made = changes(plan, empty, grown.state, grown.events, rows, expected=GENESIS)
    return StartRow(
        workflow=graph.workflow,
        version=graph.version,
        run_key=run_key,
        input_hash=input_ref.hash,
        subject=subject,
        priority=priority,
        trace=trace,
        actor=actor,
        advance=made,
    )
