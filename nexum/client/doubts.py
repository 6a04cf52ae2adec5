"""What a person decides about an effect in doubt: it happened, it did not happen, or it is given up.

A decision is one more fact about the run: a mail with actor and reason, folded like every other one, in the order of
arrival. The provider's late answer that arrives first wins, and the decision is then refused. No decision makes a new key:
what did not happen is sent again under the key that it had.

For a tool of the setting `four_eyes` the first decision only waits (`nexum.client.four_eyes`); it counts when another person
decides the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import Desk, check_unmoved, place_of, unfit_text
from nexum.client.four_eyes import changed, needs_two, second_of, waiting_for
from nexum.client.start import MAX_PAYLOAD
from nexum.core.canonical import NotCanonicalError, from_bytes, sha256_hex, storable_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.run.calls import undecidable
from nexum.core.run.codec import decode, encode_mail
from nexum.core.run.events import Cell, DoubtProposed, DoubtResolved
from nexum.core.run.places import call_name, parent_of
from nexum.core.run.state import CellState, CellStatus, Proposal
from nexum.core.schema.validate import problems
from nexum.core.values import HERE, INLINE_MAX
from nexum.crash import crash
from nexum.engine.memory import Known
from nexum.engine.reports import keep
from nexum.errors import ConflictError, InputError, NexumError, Problem
from nexum.errors.misfits import got
from nexum.store.api import EventRow, Mail, Store
from nexum.store.doubts import DoubtRow, doubts
from nexum.store.verbs import Verbs

OUTCOMES = ("happened", "did_not_happen", "abandon")
NOTHING: Final = object()  # no response was given; `None` is one


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about the effect at `cell` of a run, and why.

    `outcome` is one of `OUTCOMES`. `response` is what the provider would have answered, as JSON, and `reference` the
    provider's own name for what happened; both belong to `happened`, and the response is required there, but to confirm what
    another person has decided. `link` is the address of what somebody has seen, http or https. `confirms` is the event that is
    confirmed (0: whatever waits), `last_seq` the run's last event when it was looked at (0: nobody asks).
    """

    run_id: str
    cell: Cell
    outcome: str
    actor: str
    reason: str
    reference: str = ""
    response: object = field(default=NOTHING, repr=False)
    link: str = ""
    confirms: int = 0
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a decision led to. `seq` is its event; 0 when somebody else holds the run, who folds it in a moment.

    `pending`: it waits for a second person.
    """

    run_id: str
    cell: Cell
    outcome: str
    key: str
    seq: int
    node_status: str
    run_status: str
    pending: bool = False


def list_doubts(store: Verbs, *, workflow: str = "", tenant: str = "", limit: int = 1_000) -> list[DoubtRow]:
    """The effects in doubt of open runs, the oldest first; only those of a workflow or a tenant when it is named."""
    return doubts(store, workflow=workflow, tenant=tenant, limit=limit)


def resolve(
    store: Store,
    decision: Decision,
    *,
    four_eyes: Collection[str] = (),
    doorbell: Doorbell | None = None,
    inline_max: int = INLINE_MAX,
    max_payload: int = MAX_PAYLOAD,
) -> Resolved:
    """Record a decision about an effect in doubt, and let the run go on from it, or let it wait for a second person.

    `four_eyes` are the tools that need two. The run's mail is folded before and after, so that what has arrived already
    counts. Raises `InputError` NX-E401 (the decision is incomplete), NX-E402 (the response does not fit the node's output;
    nothing is written), `NexumError` NX-R404 and NX-E404 (no such run, no such effect), `ConflictError` NX-E409 (the effect
    is not in doubt), NX-E411 (who confirms has decided it), NX-E412 (what was to be confirmed has changed), NX-R409 (the run
    has gone on since `last_seq`), `UnavailableError` (the database does not answer).
    """
    _check(decision)
    desk = Desk(store, decision.run_id, doorbell)
    known = desk.fold()
    at, node = _doubtful(store, known, decision)
    check_unmoved(known, decision.last_seq)
    two = needs_two(node, four_eyes)
    waiting = waiting_for(at, decision.outcome, decision.confirms, _where(decision)) if two else None
    _check_response(decision, waiting)
    made, inline = _body(store, known, node, decision, waiting, inline_max, max_payload)
    statement = second_of(made, waiting, decision.actor, _where(decision)) if two else made
    dedupe = _dedupe(known, statement, at)
    crash("decision.before", run=decision.run_id)
    posted = store.post(_mail(decision, statement, dedupe, inline, known.trace))
    if not posted and not isinstance(statement, DoubtProposed):  # the same person has pressed twice
        raise _not_in_doubt(store, desk.fold(), decision)
    crash("decision.after", run=decision.run_id)
    return _answered(store, desk.fold(), decision, dedupe, since=known.state.seq)


def _check(decision: Decision) -> None:
    found = []
    if decision.outcome not in OUTCOMES:
        found.append(Problem("outcome", got(decision.outcome), f"one of {', '.join(OUTCOMES)}"))
    wanted = {"actor": "who decides", "reason": "how you know, in a sentence", "reference": "", "link": ""}
    told = (unfit_text(name, getattr(decision, name), what) for name, what in wanted.items())
    found.extend(problem for problem in told if problem is not None)
    if decision.link and not _is_address(decision.link):
        found.append(Problem("link", got(decision.link), "an address that begins with https:// or http://"))
    given = decision.response is not NOTHING
    if decision.outcome != "happened" and (given or decision.reference):
        name = "response" if given else "reference"
        found.append(Problem(name, "a value", "nothing: only what happened has one"))
    _complete(found)


def _is_address(link: str) -> bool:
    """Whether pages may offer it for clicking."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not any(sign.isspace() for sign in link)


def _check_response(decision: Decision, waiting: Proposal | None) -> None:
    """What happened has a response, which who only confirms need not repeat."""
    if decision.outcome == "happened" and decision.response is NOTHING and waiting is None:
        _complete([Problem("response", "nothing", "what the effect's handler would have returned, as JSON")])


def _complete(found: list[Problem]) -> None:
    """Raise `InputError` NX-E401 for what is wrong."""
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the decision is not complete: {listed}", code="NX-E401", problems=tuple(found))


def _body(
    store: Store,
    known: Known,
    node: Effect,
    decision: Decision,
    waiting: Proposal | None,
    inline_max: int,
    max_payload: int,
) -> tuple[DoubtResolved, bytes]:
    """The decision as an event, and the bytes of the response that go with it."""
    reason, reference = decision.reason.strip(), decision.reference
    bare = DoubtResolved(decision.cell, decision.outcome, evidence=reason, link=decision.link)
    if decision.outcome != "happened":
        return bare, b""
    if decision.response is NOTHING:
        assert waiting is not None
        return replace(bare, output=waiting.output, reference=reference or waiting.reference), b""
    data = _response_bytes(node, decision, max_payload)
    output, inline = keep(store, known.state.tenant, data, inline_max)
    reference = reference or node.reference_in(from_bytes(data))
    return replace(bare, output=output, reference=reference), inline


def _doubtful(store: Store, known: Known, decision: Decision) -> tuple[CellState, Effect]:
    at = known.state.cells.get(decision.cell)
    if at is None or at.kind != "effect":
        raise NexumError(f"the run has no effect at {place_of(decision.cell)}", code="NX-E404", where=_where(decision))
    if known.state.phase.is_ended and not at.status.is_terminal:
        told = f"nothing waits for a decision about the effect at {place_of(decision.cell)}: the run was {known.state.phase}"
        raise ConflictError(f"{told} before anybody found out", code="NX-E409", where=_where(decision))
    if at.status is not CellStatus.IN_DOUBT:
        raise _not_in_doubt(store, known, decision)
    if why := undecidable(known.state, decision.cell):
        told = f"nobody can decide about the effect at {place_of(decision.cell)} yet: {why}"
        raise ConflictError(told, code="NX-E409", where=_where(decision))
    node = known.plan.node_at(decision.cell.path)
    assert isinstance(node, Effect)
    return at, node


def _response_bytes(node: Effect, decision: Decision, max_payload: int) -> bytes:
    """The response as a handler's result is spelled. Raises `InputError` NX-E402 with every field that does not fit."""
    try:
        data = storable_bytes(decision.response)
    except NotCanonicalError as error:
        raise _unfit(node, decision, (Problem(error.path, error.why, "a JSON value"),)) from error
    if len(data) > max_payload:
        raise _unfit(node, decision, (Problem("$", f"{len(data):,} bytes", f"at most {max_payload:,} bytes"),))
    found = problems(node.output, decision.response)
    if found:
        raise _unfit(node, decision, found)
    return data


def _unfit(node: Effect, decision: Decision, found: tuple[Problem, ...]) -> InputError:
    listed = "; ".join(map(str, found[:5]))
    told = f"the response does not fit what {node.id} returns: {listed}"
    return InputError(told, code="NX-E402", where=_where(decision), problems=found)


def _mail(decision: Decision, statement: DoubtResolved | DoubtProposed, dedupe: str, inline: bytes, trace: str) -> Mail:
    own = statement.output is not None and statement.output.seq == HERE
    return Mail(
        run_id=decision.run_id,
        dedupe=dedupe,
        type=type(statement).__name__,
        body=encode_mail(statement),
        payload=inline if own else b"",
        actor=decision.actor,
        trace=trace,
    )


def _dedupe(known: Known, statement: DoubtResolved | DoubtProposed, at: CellState) -> str:
    """One doubt has one decision, however often a button is pressed and by how many people; a statement counts once.

    A call has no attempts of its own: it comes into doubt with an attempt of its node.
    """
    cell = statement.cell
    node = parent_of(cell) if call_name(cell) else None
    attempt = at.attempt if node is None else known.state.cells[node].attempt
    place = f"{cell.path}|{cell.visit}|{cell.item}|{attempt}"
    if isinstance(statement, DoubtProposed):
        return f"proposed|{place}|{known.state.seq}|{sha256_hex(statement.by.encode())[:16]}"
    return f"decision|{place}" + (f"|{statement.confirms}" if statement.confirms else "")


def _answered(store: Store, known: Known, decision: Decision, dedupe: str, *, since: int) -> Resolved:
    row = next((row for row in store.events_after(decision.run_id, since) if row.dedupe == dedupe), None)
    at = known.state.cells[decision.cell]
    pending = dedupe.startswith("proposed|")
    overtaken = at.status is not CellStatus.IN_DOUBT if row is None else row.type == "Ignored"
    if overtaken and at.status is CellStatus.IN_DOUBT:
        raise changed(at, _where(decision))
    if overtaken:  # what had arrived before the decision was folded before it
        raise _not_in_doubt(store, known, decision)
    return Resolved(
        run_id=decision.run_id,
        cell=decision.cell,
        outcome=decision.outcome,
        key=at.key,
        seq=0 if row is None else row.seq,
        node_status=str(at.status),
        run_status=str(known.state.phase),
        pending=pending,
    )


def _not_in_doubt(store: Store, known: Known, decision: Decision) -> ConflictError:
    """What the effect is now, and who decided about it when somebody did."""
    at = known.state.cells[decision.cell]
    decided = _decided(store, decision)
    now = f"it is {at.status}" + (f", the run is {known.state.phase}" if known.state.phase.is_ended else "")
    told = f"the effect at {place_of(decision.cell)} is not in doubt: {now}"
    if decided is not None:
        body = decode(decided.type, decision.cell, decided.body)
        assert isinstance(body, DoubtResolved)
        told += f"; {decided.actor} resolved it as {body.outcome} at event {decided.seq}: {body.evidence}"
    return ConflictError(told, code="NX-E409", where=_where(decision))


def _decided(store: Store, decision: Decision) -> EventRow | None:
    """The last decision about this effect."""
    rows = store.events_after(decision.run_id, 0)
    mine = [row for row in rows if row.type == "DoubtResolved" and Cell(row.path, row.visit, row.item) == decision.cell]
    return mine[-1] if mine else None


def _where(decision: Decision) -> str:
    return f"run {decision.run_id}"
