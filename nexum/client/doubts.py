"""What a person decides about an effect in doubt: it happened, it did not happen, or it is given up.

A decision is one more fact about the run: a mail with actor and reason, folded like every other one, in the order of
arrival. The provider's late answer that arrives first wins, and the decision is then refused. No decision makes a new key:
what did not happen is sent again under the key that it had.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import Desk, place_of, unfit_text
from nexum.client.start import MAX_PAYLOAD
from nexum.core.canonical import NotCanonicalError, from_bytes, storable_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.run.codec import decode, encode_mail
from nexum.core.run.events import Cell, DoubtResolved
from nexum.core.run.fold import parent_of
from nexum.core.run.places import call_name
from nexum.core.run.state import CellState, CellStatus
from nexum.core.schema.validate import problems
from nexum.core.values import INLINE_MAX, Ref
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
    provider's own name for what happened; both belong to `happened`, and the response is required there.
    """

    run_id: str
    cell: Cell
    outcome: str
    actor: str
    reason: str
    reference: str = ""
    response: object = field(default=NOTHING, repr=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a decision led to. `seq` is its event; 0 when somebody else holds the run, who folds it in a moment."""

    run_id: str
    cell: Cell
    outcome: str
    key: str
    seq: int
    node_status: str
    run_status: str


def list_doubts(store: Verbs, *, workflow: str = "", tenant: str = "", limit: int = 1_000) -> list[DoubtRow]:
    """The effects in doubt of open runs, the oldest first; only those of a workflow or a tenant when it is named."""
    return doubts(store, workflow=workflow, tenant=tenant, limit=limit)


def resolve(
    store: Store,
    decision: Decision,
    *,
    doorbell: Doorbell | None = None,
    inline_max: int = INLINE_MAX,
    max_payload: int = MAX_PAYLOAD,
) -> Resolved:
    """Record a decision about an effect in doubt, and let the run go on from it.

    The run's mail is folded before and after, so that what has arrived already counts. Raises `InputError` NX-E401 (the
    decision is incomplete), NX-E402 (the response does not fit the node's output; nothing is written), `NexumError`
    NX-R404 and NX-E404 (no such run, no such effect), `ConflictError` NX-E409 (the effect is not in doubt),
    `UnavailableError` (the database does not answer).
    """
    _check(decision)
    desk = Desk(store, decision.run_id, doorbell)
    known = desk.fold()
    at, node = _doubtful(store, known, decision)
    output, inline, reference = None, b"", decision.reference
    if decision.outcome == "happened":
        data = _response_bytes(node, decision, max_payload)
        reference = reference or node.reference_in(from_bytes(data))
        output, inline = keep(store, known.state.tenant, data, inline_max)
    dedupe = _dedupe(known, decision.cell, at)
    crash("decision.before", run=decision.run_id)
    if not store.post(_mail(decision, dedupe, output, inline, reference, known.trace)):
        raise _not_in_doubt(store, desk.fold(), decision)
    crash("decision.after", run=decision.run_id)
    return _answered(store, desk.fold(), decision, dedupe, since=known.state.seq)


def _check(decision: Decision) -> None:
    found = []
    if decision.outcome not in OUTCOMES:
        found.append(Problem("outcome", got(decision.outcome), f"one of {', '.join(OUTCOMES)}"))
    wanted = {"actor": "who decides", "reason": "how you know, in a sentence", "reference": ""}
    told = (unfit_text(name, getattr(decision, name), what) for name, what in wanted.items())
    found.extend(problem for problem in told if problem is not None)
    happened, given = decision.outcome == "happened", decision.response is not NOTHING
    if happened and not given:
        found.append(Problem("response", "nothing", "what the effect's handler would have returned, as JSON"))
    if not happened and (given or decision.reference):
        name = "response" if given else "reference"
        found.append(Problem(name, "a value", "nothing: only what happened has one"))
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the decision is not complete: {listed}", code="NX-E401", problems=tuple(found))


def _doubtful(store: Store, known: Known, decision: Decision) -> tuple[CellState, Effect]:
    at = known.state.cells.get(decision.cell)
    if at is None or at.kind != "effect":
        raise NexumError(f"the run has no effect at {place_of(decision.cell)}", code="NX-E404", where=_where(decision))
    if at.status is not CellStatus.IN_DOUBT:
        raise _not_in_doubt(store, known, decision)
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


def _mail(decision: Decision, dedupe: str, output: Ref | None, inline: bytes, reference: str, trace: str) -> Mail:
    body = DoubtResolved(decision.cell, decision.outcome, output, reference, decision.reason.strip())
    return Mail(
        run_id=decision.run_id,
        dedupe=dedupe,
        type="DoubtResolved",
        body=encode_mail(body),
        payload=inline,
        actor=decision.actor,
        trace=trace,
    )


def _dedupe(known: Known, cell: Cell, at: CellState) -> str:
    """One doubt has one decision, however often a button is pressed and by how many people.

    A call has no attempts of its own: it comes into doubt with an attempt of its node.
    """
    node = parent_of(cell) if call_name(cell) else None
    attempt = at.attempt if node is None else known.state.cells[node].attempt
    return f"decision|{cell.path}|{cell.visit}|{cell.item}|{attempt}"


def _answered(store: Store, known: Known, decision: Decision, dedupe: str, *, since: int) -> Resolved:
    row = next((row for row in store.events_after(decision.run_id, since) if row.dedupe == dedupe), None)
    at = known.state.cells[decision.cell]
    overtaken = at.status is not CellStatus.IN_DOUBT if row is None else row.type != "DoubtResolved"
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
