"""Ask the provider of an effect in doubt, now: a worker of the run's version calls the function behind `reconcile=`.

Asking changes nothing outside. What is found resolves the doubt at any time; that nothing was found counts only once the
settle time has passed.
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import Desk
from nexum.core.canonical import from_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.ids import short
from nexum.core.run.asking import counts_from, last_asking
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import Cell, ReconcileRequested
from nexum.core.run.state import CellStatus
from nexum.engine.graphs import Graphs
from nexum.engine.loading import load, read_payload
from nexum.engine.memory import Known
from nexum.errors import ConflictError, NexumError, UnavailableError
from nexum.store.api import Mail, Store


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to ask about the effect at `cell`, made at `now`.

    The asking is the one of this `number`; 0 when somebody else holds the run, who folds the request in a moment. Before
    `counts_from`, in microseconds (`NEVER`: nobody knows), it does not count that nothing was found.
    """

    run_id: str
    cell: Cell
    key: str
    number: int
    now: int
    counts_from: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an asking: found, not_found, cannot_tell, failed or cancelled; `said` is the reason in words."""

    answer: str
    said: str
    node_status: str
    run_status: str


def ask_provider(
    store: Store, run_id: str, cell: Cell, *, actor: str, reason: str, doorbell: Doorbell | None = None
) -> Asked:
    """Have the provider asked about an effect in doubt; when it is being asked already, that asking is meant.

    Raises `NexumError` NX-R404 and NX-E404 (no such run, no such effect), `ConflictError` NX-E409 (it is not in doubt) and
    NX-E211 (its version names nobody to ask), `UnavailableError` NX-W203 (no worker of the version is alive).
    """
    desk = Desk(store, run_id, doorbell)
    known = desk.fold()
    at = known.state.cells.get(cell)
    where = f"run {run_id}"
    if at is None or at.kind != "effect":
        raise NexumError(f"the run has no effect at {cell.path}", code="NX-E404", where=where)
    if at.status is not CellStatus.IN_DOUBT:
        raise ConflictError(f"the effect at {cell.path} is {at.status}, not in doubt", code="NX-E409", where=where)
    node = known.plan.node_at(cell.path)
    if not isinstance(node, Effect) or node.reconcile is None:
        told = f"version {short(known.state.version)} names nobody to ask about {cell.path}"
        raise ConflictError(told, code="NX-E211", where=where)
    _check_alive(store, known)
    body = ReconcileRequested(cell, reason.strip() or "no reason given")
    dedupe = f"ask|{cell.path}|{cell.visit}|{cell.item}|{known.state.seq}"
    mail = Mail(run_id, dedupe, "ReconcileRequested", encode_mail(body), actor=actor, trace=known.trace)
    store.post(mail)
    state = desk.fold().state
    last, number = last_asking(state, cell), state.cells[cell].asked
    mine = number > at.asked or (last is not None and not last[1].status.is_terminal)
    return Asked(run_id, cell, at.key, number if mine else 0, store.now(), counts_from(node.reconcile, at))


def answer_to(store: Store, asked: Asked) -> Answer | None:
    """What the provider said; None while it has not answered."""
    known = load(store, Graphs(store), asked.run_id)
    if known is None or not asked.number:
        return None
    cell = Cell(f"{asked.cell.path}/reconcile.{asked.number}", asked.cell.visit, asked.cell.item)
    asking = known.state.cells.get(cell)
    if asking is None or not asking.status.is_terminal:
        return None
    said = f"{asking.error.code}: {asking.error.message}" if asking.error is not None else ""
    if asking.answer == "cannot_tell" and asking.output is not None:
        said = str(from_bytes(read_payload(store, known, asking.output)))
    answer = asking.answer or str(asking.status).lower()
    return Answer(answer, said, str(known.state.cells[asked.cell].status), str(known.state.phase))


def _check_alive(store: Store, known: Known) -> None:
    """Raise `UnavailableError` NX-W203 unless some live process serves the run's version."""
    now, queue = store.now(), known.plan.graph.queue
    if any(queue in row.queues and now - row.beat_at <= row.lease for row in store.sessions()):
        return
    workflow, version = known.state.workflow, short(known.state.version)
    raise UnavailableError(
        f"no live worker runs version {version} of {workflow}, so nobody can ask",
        code="NX-W203",
        fixes=(f"nexum worker --workflow {workflow} --version {version}",),
    )
