"""A run as it happens: one line for each event, until it ends."""

from __future__ import annotations

import time

from nexum.cli.answer import Paper
from nexum.client.runs import FIRST_PAUSE, LONGEST_PAUSE, RunHandle
from nexum.core.run.state import Phase
from nexum.errors import NexumError
from nexum.store.api import EventRow, Head, Store


def follow(store: Store, run: RunHandle, paper: Paper, limit: float | None) -> Head:
    """Print events until the run has ended. Raises `NexumError` NX-R411 after `limit` seconds."""
    deadline = None if limit is None else time.monotonic() + limit
    seen, pause = 0, FIRST_PAUSE
    while True:
        head = run.head()
        rows = store.events_after(run.run_id, seen) if head.seq > seen else ()
        for row in rows:
            paper.line(event_line(paper, row))
            seen = row.seq
        if Phase(head.status).is_ended and seen >= head.seq:
            return head
        if deadline is not None and time.monotonic() > deadline:
            raise NexumError(f"run {run.run_id} has not ended after {limit:g} s", code="NX-R411")
        pause = FIRST_PAUSE if rows else min(pause * 1.5, LONGEST_PAUSE)
        time.sleep(pause)


def event_line(paper: Paper, row: EventRow) -> str:
    """`14:02:08+0200  12  NodeCompleted  verdict`."""
    place = row.path + (f" visit {row.visit}" if row.visit > 1 else "") + (f"[{row.item}]" if row.item >= 0 else "")
    attempt = f" attempt {row.attempt}" if row.attempt > 1 else ""
    return f"{paper.at(row.at)}  {row.seq:>4}  {row.type:<16} {place}{attempt}".rstrip()
