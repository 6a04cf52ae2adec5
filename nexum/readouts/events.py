"""The log of a run: one line per event, its body, and the payloads that it refers to."""

from __future__ import annotations

from typing import Any

from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    Body,
    CancelRequested,
    DoubtProposed,
    DoubtResolved,
    DuplicateAcknowledged,
    DuplicateEffectSuspected,
    EffectInDoubt,
    FailRequested,
    Ignored,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeParked,
    NodeScheduled,
    NodeSkipped,
    NodeStopping,
    ReconcileRequested,
    RetryRequested,
    RetryScheduled,
    RunCancelled,
    RunClosing,
    RunCompleted,
    RunFailed,
    RunResumed,
    RunStarted,
    RunSuspended,
    RunTerminated,
    SenderEnded,
    SkipRequested,
    TimerFired,
)
from nexum.core.run.standing import span
from nexum.core.values import Ref, placed
from nexum.readouts.document import Document, Instant, PayloadView, View
from nexum.readouts.history import body_of
from nexum.readouts.payload import Bodies, read
from nexum.store import reading
from nexum.store.reading import ToldRow
from nexum.store.verbs import Verbs

PAGE = 200


class EventLine(View):
    """One event. `summary` says it in a few words; `payloads` names what it carries or refers to."""

    seq: int
    at: Instant
    type: str
    node: str
    visit: int
    item: int
    attempt: int
    actor: str
    summary: str
    payloads: tuple[PayloadView, ...] = ()


class EventList(Document):
    """A page of a run's events, oldest first; `next` is the `after` of the page that follows (0: none)."""

    run_id: str
    last_seq: int
    events: tuple[EventLine, ...]
    next: int = 0


class EventDetail(Document):
    """One event whole. `body` is what was recorded, None for readers who may not see payloads.

    `hash` and `prev_hash` chain it to the one before.
    """

    run_id: str
    event: EventLine
    body: Any
    trace: str
    hash: str
    prev_hash: str
    last_seq: int


def read_events(
    store: Verbs, run_id: str, *, last_seq: int, after: int = 0, limit: int = PAGE, node: str = ""
) -> EventList:
    """A page of events, one query."""
    rows = reading.history(store, run_id, after=after, limit=limit + 1, path=node)
    page, more = rows[:limit], len(rows) > limit
    return EventList(
        form="nexum.events/1",
        run_id=run_id,
        last_seq=last_seq,
        events=tuple(event_line(row) for row in page),
        next=page[-1].seq if more else 0,
    )


def read_event(
    store: Verbs, run_id: str, tenant: str, seq: int, *, last_seq: int, may_read: bool
) -> EventDetail | None:
    """One event with its payloads' texts where the reader may see them; None when there is none of this number."""
    rows = reading.history(store, run_id, after=seq - 1, limit=1)
    if not rows or rows[0].seq != seq:
        return None
    row = rows[0]
    refs = refs_of(row)
    bodies = Bodies(store, run_id, tenant, may_read=may_read)
    bodies.expect(ref for _, ref in refs)
    payloads = tuple(bodies.view(name, ref) for name, ref in refs)
    return EventDetail(
        form="nexum.event/1",
        run_id=run_id,
        event=event_line(row).model_copy(update={"payloads": payloads}),
        body=read(row.body) if may_read else None,
        trace=row.trace,
        hash=row.hash.hex(),
        prev_hash=row.prev_hash.hex(),
        last_seq=last_seq,
    )


def event_line(row: ToldRow) -> EventLine:
    """An event as a line."""
    return EventLine(
        seq=row.seq,
        at=row.at,
        type=row.type,
        node=row.path,
        visit=row.visit,
        item=row.item,
        attempt=row.attempt,
        actor=row.actor,
        summary=summary(row),
        payloads=tuple(PayloadView(name=name, hash=ref.hash, size=ref.size, seq=ref.seq) for name, ref in refs_of(row)),
    )


def refs_of(row: ToldRow) -> list[tuple[str, Ref]]:
    """The payloads that an event names: its own first."""
    try:
        body = body_of(row)
    except (KeyError, TypeError, ValueError):
        return []
    named: list[tuple[str, Ref | None]] = []
    match body:
        case RunStarted():
            named = [("input", body.input)]
        case NodeScheduled():
            named = list(body.inputs)
        case NodeCompleted() | DoubtResolved() | DoubtProposed() | DuplicateEffectSuspected() | SkipRequested():
            named = [("output", body.output)]
        case AttemptFailed():
            named = [("answer", body.raw)]
        case EffectInDoubt():
            named = [("returned", body.raw)]
        case RunCompleted():
            named = list(body.result)
    found = [(name, placed(ref, row.seq)) for name, ref in named]
    return [(name, ref) for name, ref in found if ref is not None]


def summary(row: ToldRow) -> str:
    """What an event says, in a few words; the type's name for one that this engine does not know."""
    try:
        return _said(body_of(row), row.at)
    except (KeyError, TypeError, ValueError):
        return f"{row.type}: written by another engine"


def _said(body: Body, at: int) -> str:
    match body:
        case RunStarted():
            key = f" with key {body.run_key}" if body.run_key else ""
            return f"{body.workflow} started{key}"
        case NodeScheduled():
            asks = f", asks {body.model}" if body.model else ""
            waits = f", not before {span(body.not_before - at)} from now" if body.not_before > at else ""
            return f"{body.kind} scheduled{asks}{waits}"
        case NodeSkipped():
            return f"skipped: {body.why}"
        case NodeCompleted():
            return _completed(body)
        case NodeFailed():
            return f"failed for good: {_error(body.error)}"
        case NodeCancelled():
            return f"cancelled: {body.why}"
        case NodeStopping():
            return f"asked to stop: {body.why}"
        case NodeParked():
            return f"parked, waits for a person: {_error(body.error)}"
        case AttemptFailed():
            sent = {"yes": ", was sent", "unknown": ", may have been sent"}.get(body.sent, "")
            return f"attempt {body.attempt} failed{sent}: {_error(body.error)}"
        case AttemptStopped():
            return f"attempt {body.attempt} stopped" + ("" if body.claimed else " before it began")
        case EffectInDoubt():
            return f"sent, outcome not known: {body.evidence}"
        case DoubtResolved():
            by = ", the provider was asked" if body.by == "reconcile" else ""
            second = f", which confirms event {body.confirms}" if body.confirms else ""
            return f"doubt resolved: {body.outcome.replace('_', ' ')}{by}{second}"
        case DoubtProposed():
            return f"{body.by} decides: {body.outcome.replace('_', ' ')}; waits for a second person"
        case DuplicateEffectSuspected():
            came = body.reference or "a late result"
            return f"may have been done twice: {came}, recorded {body.recorded or 'otherwise'}"
        case DuplicateAcknowledged():
            return f"looked into, may have been done twice: {body.reason}"
        case SenderEnded():
            return "whoever sent it is dead for certain"
        case ReconcileRequested():
            return f"provider to be asked now: {body.reason}"
        case RetryScheduled():
            other = f" with {body.model}" if body.model else ""
            return f"attempt {body.attempt}{other} in {span(max(0, body.not_before - at))}"
        case RetryRequested():
            later = f" in {span(body.not_before - at)}" if body.not_before > at else ""
            return f"retry asked for{later}: {body.reason}"
        case SkipRequested():
            return f"skip {'with a value ' if body.output is not None else ''}asked for: {body.reason}"
        case FailRequested():
            return f"failure asked for: {body.reason}"
        case _:
            return _said_of_run(body)


def _said_of_run(body: Body) -> str:
    match body:
        case TimerFired():
            return f"timer fired: {body.timer.replace('|', ' ')}"
        case CancelRequested():
            return f"cancel requested{'' if body.compensate else ', nothing is to be undone'}: {body.reason}"
        case RunSuspended():
            return f"suspended: {_error(body.error)}"
        case RunResumed():
            return f"resumed: {body.reason}"
        case RunClosing():
            return f"closing, {body.cause}" + (f": {_error(body.error)}" if body.error else "")
        case RunCompleted():
            return "run completed"
        case RunFailed():
            return f"run failed: {_error(body.error)}{_undone(body)}"
        case RunCancelled():
            return f"run cancelled: {body.reason}{_undone(body)}"
        case RunTerminated():
            doubts = f"; in doubt: {', '.join(cell.path for cell in body.in_doubt)}" if body.in_doubt else ""
            return f"run terminated: {body.reason}{doubts}"
        case Ignored():
            return f"{body.what} ignored: {body.why}"
        case _:
            return type(body).__name__


def _undone(body: RunFailed | RunCancelled) -> str:
    """What the end of a run says about what it had done."""
    words = {"all": "; all undone", "some": "; undone in part", "none": "; nothing undone"}.get(body.undone, "")
    given_up = ", ".join(cell.path for cell in body.given_up)
    left = ", ".join(cell.path for cell in body.left)
    return words + (f", given up: {given_up}" if given_up else "") + (f"; made and left: {left}" if left else "")


def _completed(body: NodeCompleted) -> str:
    if body.answer:
        found = f" as {body.reference}" if body.reference else ""
        return f"provider asked: {body.answer.replace('_', ' ')}{found}"
    words = ["completed"]
    if body.by != "attempt":
        words.append(
            {
                "reuse": "by reuse: recorded before, not called again",
                "repair": "by a repair round",
                "person": "by hand",
            }.get(body.by, body.by)
        )
    if body.source:
        words.append(f"(run {body.source})")
    if body.reference:
        words.append(f"as {body.reference}")
    if body.usage is not None:
        words.append(f"({body.usage.input_tokens:,} tokens in, {body.usage.output_tokens:,} out)")
    if body.late:
        words.append("too late to be read")
    return " ".join(words)


def _error(error: Any) -> str:
    line = error.message.strip().splitlines()[0] if error.message.strip() else ""
    return f"{error.code} {line[:160]}".strip()
