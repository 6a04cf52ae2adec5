"""What is known about an effect in doubt, put together in the order of time.

From the run's events, the effect's row, the sessions and the reports that came too late.
"""

from __future__ import annotations

from collections.abc import Iterator

from nexum.core.canonical import canonical_bytes
from nexum.core.run.events import (
    AttemptFailed,
    Cell,
    DoubtProposed,
    DoubtResolved,
    DuplicateAcknowledged,
    EffectInDoubt,
    NodeCompleted,
    NodeFailed,
    ReconcileRequested,
)
from nexum.core.values import placed
from nexum.readouts.document import Instant, View
from nexum.readouts.history import body_of
from nexum.readouts.payload import Bodies
from nexum.readouts.run import Facts
from nexum.store.doubts import ClaimerRow, DoubtRow, evidence_of
from nexum.store.reading import ToldRow
from nexum.store.verbs import Verbs

DECIDED = {"happened": "it happened", "did_not_happen": "it did not happen", "abandon": "given up"}


class MomentView(View):
    """One piece of evidence. `seq` is the event that says so; 0 for what is no event. `link` is what a person has seen."""

    at: Instant
    what: str
    detail: str
    who: str
    seq: int
    link: str = ""


def evidence(
    store: Verbs, facts: Facts, row: DoubtRow, by: ClaimerRow | None, bodies: Bodies
) -> tuple[MomentView, ...]:
    """Everything that is known, in the order of time."""
    return tuple(sorted(_moments(store, facts, row, by, bodies), key=lambda moment: (moment.at, moment.seq)))


def _moments(store: Verbs, facts: Facts, row: DoubtRow, by: ClaimerRow | None, bodies: Bodies) -> Iterator[MomentView]:
    cell, claimer = Cell(row.path, row.visit, row.item), _name(by)
    if row.first_sent_at:
        who = claimer if row.first_sent_at == row.claimed_at else ""
        yield _moment(row.first_sent_at, "given to the handler", "from here on it may have been sent", who)
    if row.claimed_at > row.first_sent_at > 0:
        yield _moment(row.claimed_at, "claimed again", f"attempt {row.attempt}, under the same key", claimer)
    if by is not None and by.ended_at > row.claimed_at:
        yield _moment(by.ended_at, "worker ended", by.proof, claimer)
    for event in facts.told:
        if event.path.startswith(f"{cell.path}/") or Cell(event.path, event.visit, event.item) == cell:
            yield from _told(facts, event, bodies)
    for report in evidence_of(store, row.tenant, row.key):
        told = f"{report.state.lower()}, not applied" + (f"; reference {report.reference}" if report.reference else "")
        yield _moment(report.at, "late report", told, facts.crew.worker(report.session))


def _name(by: ClaimerRow | None) -> str:
    return f"{by.host}:{by.pid}" if by is not None else ""


def _told(facts: Facts, event: ToldRow, bodies: Bodies) -> Iterator[MomentView]:
    try:
        body = body_of(event)
    except (KeyError, TypeError, ValueError):
        return
    who = facts.crew.worker(event.actor)
    match body:
        case ReconcileRequested():
            yield _moment(event.at, "somebody had the provider asked", body.reason, who, event.seq)
        case NodeCompleted() if body.answer:
            told = f"reference {body.reference}" if body.reference else _said(bodies, event, body)
            yield _moment(event.at, f"provider asked: {body.answer.replace('_', ' ')}", told, who, event.seq)
        case AttemptFailed() if "/reconcile." in event.path:
            told = f"{body.error.code} {body.error.message}"
            yield _moment(event.at, "asking the provider failed", told, who, event.seq)
        case NodeFailed() if "/reconcile." in event.path:
            yield _moment(event.at, "asking was given up", f"{body.error.code} {body.error.message}", who, event.seq)
        case AttemptFailed():
            sent = {"no": "certainly not sent", "yes": "sent", "unknown": "no result recorded"}.get(
                body.sent, body.sent
            )
            told = f"{sent}: {body.error.code} {body.error.message}"
            yield _moment(event.at, f"attempt {body.attempt} ended badly", told, who, event.seq)
        case EffectInDoubt():
            what = "it was done, and its result cannot be recorded" if body.proof == "acted" else "in doubt"
            yield _moment(event.at, what, body.evidence + _returned(bodies, event, body), who, event.seq)
        case DuplicateAcknowledged():
            yield _moment(event.at, "what came too late was looked into", body.reason, who, event.seq)
        case DoubtResolved() | DoubtProposed():
            told = body.evidence + (f" (reference {body.reference})" if body.reference else "")
            yield _moment(event.at, _decision(body), told, who, event.seq, body.link)
        case NodeCompleted():
            told = f"reference {body.reference}" if body.reference else ""
            yield _moment(event.at, "result recorded", told, who, event.seq)
        case NodeFailed():
            yield _moment(event.at, "failed for good", f"{body.error.code} {body.error.message}", who, event.seq)


def _decision(body: DoubtResolved | DoubtProposed) -> str:
    decided = DECIDED.get(body.outcome, body.outcome)
    if isinstance(body, DoubtProposed):
        return f"decided: {decided}; waits for a second person"
    return f"decided by a second person: {decided}" if body.confirms else f"decided: {decided}"


def _said(bodies: Bodies, event: ToldRow, body: NodeCompleted) -> str:
    """Why the provider cannot tell, in the handler's words: a payload, for those who may read payloads."""
    if body.answer != "cannot_tell":
        return ""
    view = bodies.maybe("", placed(body.output, event.seq))
    return str(view.value) if view is not None and view.given else ""


def _returned(bodies: Bodies, event: ToldRow, body: EffectInDoubt) -> str:
    """What the handler returned, for those who may read payloads."""
    view = bodies.maybe("", placed(body.raw, event.seq)) if body.raw is not None else None
    return f"; it returned {canonical_bytes(view.value).decode()}" if view is not None and view.given else ""


def _moment(at: int, what: str, detail: str, who: str = "", seq: int = 0, link: str = "") -> MomentView:
    return MomentView(at=at, what=what, detail=detail, who=who, seq=seq, link=link)
