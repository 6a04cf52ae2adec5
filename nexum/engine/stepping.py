"""The fast path of one outcome: what is recorded and how its run advances, as one step of the store."""

from __future__ import annotations

from typing import NamedTuple

from nexum.core.run.state import State
from nexum.engine.changes import changes
from nexum.engine.draining import grow, needs_drain
from nexum.engine.memory import Known
from nexum.engine.reports import Report, as_accepted, dedupe_of, hash_of, record_of
from nexum.engine.seal import seal
from nexum.store.api import Advance, Record, Store


class Step(NamedTuple):
    """A record and the advance that follows from it; `state` is where the run stands after both."""

    record: Record
    made: Advance
    state: State


def step_of(
    store: Store, known: Known, report: Report, *, session: str, actor: str, now: int, claim: bool
) -> Step | None:
    """The step that a report makes. None: something in it belongs to the slow path.

    With `claim` the step also takes the run's next task for `session`. Raises whatever deciding raises.
    """
    state = known.state
    if report.payload:
        known.remember(hash_of(report), report.payload)
    grown = grow(store, known, report.message, now)
    if any(needs_drain(event.body) for event in grown.events):
        return None
    rows = seal(
        state,
        known.hash,
        grown.events,
        dedupe=dedupe_of(report.task, report.message),
        payload=report.payload,
        actor=actor,
        trace=known.trace,
    )
    made = changes(
        known.plan,
        state,
        grown.state,
        grown.events,
        rows,
        expected=known.hash,
        also_drop=report.task,
        claim=claim,
        now=grown.state.now,
    )
    fact = grown.events[0].body
    body = rows[0].body if fact is report.message else b""
    recorded = record_of(report, session=session, trace=known.trace, at=grown.state.now, body=body)
    return Step(as_accepted(recorded, fact), made, grown.state)
