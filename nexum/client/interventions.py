"""What people do to a run: cancel or terminate it, retry a node now, go on without it, or let it fail.

Each of these is one more fact about the run: a mail with actor and reason, folded like every other one, in the order of
arrival. What came first wins; who came second is told what happened instead. A value in place of a node's output is checked
against what the node returns and against everybody who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import Desk, check_texts, check_unmoved, place_of
from nexum.client.start import MAX_PAYLOAD
from nexum.core.canonical import NotCanonicalError, storable_bytes
from nexum.core.run.codec import decode, encode_mail
from nexum.core.run.events import (
    RUN,
    Body,
    CancelRequested,
    Cell,
    FailRequested,
    Ignored,
    RetryRequested,
    RunTerminated,
    SkipRequested,
)
from nexum.core.run.requesting import Request, misfit
from nexum.core.run.state import CellState, Phase
from nexum.core.schema.validate import problems
from nexum.core.values import INLINE_MAX, Ref
from nexum.crash import crash
from nexum.engine.memory import Known
from nexum.engine.reports import keep
from nexum.errors import ConflictError, InputError, NexumError, Problem
from nexum.errors.misfits import got
from nexum.store.api import EventRow, Mail, Store

NOTHING: Final = object()  # no value was given; `None` is one
SHORT = 8  # characters from the end of an id, as lists show it
URGENT = -1  # before other mail of the run
_SOMETHING = Ref("", 0)  # in place of a value that is not spelled yet


@dataclass(frozen=True, slots=True)
class By:
    """Who does something to a run, and why. `last_seq` is the run's last event when it was looked at (0: nobody asks)."""

    actor: str
    reason: str
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What it led to. `seq` is its event; 0 when somebody else holds the run, who folds it in a moment.

    `node_status` is that of the node ("" where the run is meant). `in_flight` and `in_doubt` are the effects of a
    terminated run that were being executed, and that may have acted. A `suspended` run does nothing before it is resumed.
    """

    run_id: str
    cell: Cell
    seq: int
    node_status: str
    run_status: str
    suspended: bool = False
    in_flight: tuple[Cell, ...] = ()
    in_doubt: tuple[Cell, ...] = ()


def cancel(store: Store, run_id: str, by: By, *, compensate: bool = True, doorbell: Doorbell | None = None) -> Done:
    """Ask a run to end: nothing new begins, effects under way are awaited, and with `compensate` deeds are undone.

    Raises `InputError` NX-R220 (nobody, or no reason), `NexumError` NX-R404 (no such run), `ConflictError` NX-R409 (the
    run has ended, or is closing already).
    """
    return _Window(store, run_id, by, doorbell).act(CancelRequested(by.reason.strip(), compensate), "cancel")


def terminate(store: Store, run_id: str, by: By, *, doorbell: Doorbell | None = None) -> Done:
    """End a run at once: nothing is awaited, nothing undone. Raises as `cancel` does, but for closing runs."""
    return _Window(store, run_id, by, doorbell).act(RunTerminated(by.reason.strip()), "terminate")


def check_typed(run_id: str, typed: str) -> None:
    """Raise `InputError` NX-R223 unless somebody who ends a run for good has typed its short id, or the whole one."""
    if typed.strip().lower() not in (run_id[-SHORT:], run_id):
        wanted = Problem("typed", got(typed) if typed.strip() else "nothing", f"the run's short id, {run_id[-SHORT:]}")
        told = f"what was typed is not the id of this run: {wanted.got} was given, {wanted.wanted} is wanted"
        raise InputError(told, code="NX-R223", where=f"run {run_id}", problems=(wanted,))


def retry(
    store: Store, run_id: str, cell: Cell, by: By, *, not_before: int = 0, doorbell: Doorbell | None = None
) -> Done:
    """Try a node now that waits for its time, or that is parked: under the same key, and with its attempts anew.

    At `not_before`, in microseconds since 1970, when that is to come. The reason may be empty. Raises `InputError` NX-R220,
    `NexumError` NX-R404 and NX-R222 (no such node), `ConflictError` NX-R409 (it does not wait).
    """
    window = _Window(store, run_id, by, doorbell, wants_reason=False)
    return window.act(RetryRequested(cell, by.reason.strip(), not_before), "retry")


def skip(
    store: Store,
    run_id: str,
    cell: Cell,
    by: By,
    *,
    value: object = NOTHING,
    doorbell: Doorbell | None = None,
    inline_max: int = INLINE_MAX,
    max_payload: int = MAX_PAYLOAD,
) -> Done:
    """Go on without a node: with `value` in place of its output, or with none, which skips the nodes that need it.

    Raises as `retry` does, `ConflictError` NX-R409 for an effect that may have acted, and `InputError` NX-R221 for a value
    that the node would not return or that one of its readers does not take; nothing is written then.
    """
    reason = by.reason.strip()
    window = _Window(store, run_id, by, doorbell)
    if value is NOTHING:
        return window.act(SkipRequested(cell, reason), "skip")
    known = window.look(SkipRequested(cell, reason, _SOMETHING))
    data = _bytes_of(known, cell, value, max_payload)
    output, inline = keep(store, known.state.tenant, data, inline_max)
    return window.act(SkipRequested(cell, reason, output), "skip", inline)


def check_skip(
    store: Store, run_id: str, cell: Cell, by: By, *, value: object = NOTHING, max_payload: int = MAX_PAYLOAD
) -> tuple[str, ...]:
    """The nodes that read what would be put in place of a node's output; nothing is skipped. Raises as `skip` does."""
    window = _Window(store, run_id, by, None)
    known = window.look(SkipRequested(cell, by.reason.strip(), None if value is NOTHING else _SOMETHING))
    if value is not NOTHING:
        _bytes_of(known, cell, value, max_payload)
    return tuple(known.plan.readers.get(cell.path, ()))


def fail(store: Store, run_id: str, cell: Cell, by: By, *, doorbell: Doorbell | None = None) -> Done:
    """Let a node fail for good, as if its attempts were used up; an undo is given up. Raises as `retry` does."""
    return _Window(store, run_id, by, doorbell).act(FailRequested(cell, by.reason.strip()), "fail")


class _Window:
    """One person at one run."""

    def __init__(
        self, store: Store, run_id: str, by: By, doorbell: Doorbell | None, *, wants_reason: bool = True
    ) -> None:
        self._store, self._run_id, self._by = store, run_id, by
        self._desk = Desk(store, run_id, doorbell)
        wanted = {"actor": "who does this", "reason": "why, in a sentence" if wants_reason else ""}
        check_texts("request", "NX-R220", by, wanted)

    def look(self, message: Body) -> Known:
        """The run as it stands, with its mail; raises what stands against the message."""
        known = self._desk.fold()
        check_unmoved(known, self._by.last_seq)
        if isinstance(message, Request):
            _there(known, message.cell)
        why = _against(known, message, self._store.now())
        if why:
            raise self._refused(message, why)
        return known

    def act(self, message: Body, what: str, inline: bytes = b"") -> Done:
        """Send the message, and tell what came of it."""
        known = self.look(message)
        cell = message.cell if isinstance(message, Request) else RUN
        dedupe = f"{what}|{cell.path}|{cell.visit}|{cell.item}|{known.state.seq}"  # pressed twice, meant once
        crash("request.before", run=self._run_id, what=what)
        self._store.post(
            Mail(
                run_id=self._run_id,
                dedupe=dedupe,
                type=type(message).__name__,
                body=encode_mail(message),
                payload=inline,
                priority=0 if isinstance(message, Request) else URGENT,
                actor=self._by.actor,
                trace=known.trace,
            )
        )
        crash("request.after", run=self._run_id, what=what)
        since, known = known.state.seq, self._desk.fold()
        rows = self._store.events_after(self._run_id, since)
        return self._told(message, cell, known, next((row for row in rows if row.dedupe == dedupe), None))

    def _told(self, message: Body, cell: Cell, known: Known, row: EventRow | None) -> Done:
        state = known.state
        if row is None and state.phase.is_ended:
            raise self._refused(message, f"the run has ended as {state.phase}")
        fact = message if row is None else decode(row.type, cell, row.body)
        if isinstance(fact, Ignored):
            raise self._refused(message, fact.why)
        at = state.cells.get(cell)
        ended = fact if isinstance(fact, RunTerminated) else RunTerminated("")
        return Done(
            run_id=self._run_id,
            cell=cell,
            seq=0 if row is None else row.seq,
            node_status="" if at is None else str(at.status),
            run_status=str(state.phase),
            suspended=state.suspended and not state.phase.is_ended,
            in_flight=ended.in_flight,
            in_doubt=ended.in_doubt,
        )

    def _refused(self, message: Body, why: str) -> ConflictError:
        where = f"run {self._run_id}"
        if isinstance(message, Request):
            return ConflictError(f"nothing was done to {place_of(message.cell)}: {why}", where=where)
        return ConflictError(f"nothing was done to the run: {why}", where=where)


def _there(known: Known, cell: Cell) -> CellState:
    """The cell as it stands. Raises `NexumError` NX-R222."""
    at = known.state.cells.get(cell)
    if at is not None:
        return at
    names = [node.id for node in known.plan.graph.nodes]
    reached = "the run has not reached" if cell.path in names else "the run has no node"
    near = get_close_matches(cell.path, {*names, *(each.path for each in known.state.cells)}, n=1)
    fixes = (f"did you mean `{near[0]}`?",) if near and near[0] != cell.path else ()
    where = f"run {known.state.run_id}"
    raise NexumError(f"{reached} {place_of(cell)}", code="NX-R222", where=where, fixes=fixes)


def _against(known: Known, message: Body, now: int) -> str:
    state = known.state
    if state.phase.is_ended:
        return f"the run has ended as {state.phase}"
    if isinstance(message, CancelRequested) and (state.phase is Phase.CLOSING or state.cancel_reason):
        return f"it is closing already, {state.cause or 'cancelled'}"
    return misfit(state, message, now) if isinstance(message, Request) else ""


def _bytes_of(known: Known, cell: Cell, value: object, max_payload: int) -> bytes:
    """The value as a handler's result is spelled. Raises `InputError` NX-R221 with every field that does not fit."""
    node = known.plan.node_at(cell.path)
    try:
        data = storable_bytes(value)
    except NotCanonicalError as error:
        raise _unfit(known, cell, (Problem(error.path, error.why, "a JSON value"),)) from error
    if len(data) > max_payload:
        raise _unfit(known, cell, (Problem("$", f"{len(data):,} bytes", f"at most {max_payload:,} bytes"),))
    found = [*problems(node.output, value), *_unread(known, cell, value)]
    if found:
        raise _unfit(known, cell, tuple(dict.fromkeys(found)))
    return data


def _unread(known: Known, cell: Cell, value: object) -> list[Problem]:
    """What the readers of a node would not take."""
    plan = known.plan
    params = [
        (reader, param)
        for reader in plan.readers.get(cell.path, ())
        for param in plan.steps[reader].node.params
        if param.source == cell.path
    ]
    return [
        Problem(found.path, found.got, f"{found.wanted} (read by {reader})")
        for reader, param in params
        for found in problems(param.accepts, value)
    ]


def _unfit(known: Known, cell: Cell, found: tuple[Problem, ...]) -> InputError:
    listed = "; ".join(map(str, found[:5]))
    told = f"the value does not fit in place of what {place_of(cell)} returns: {listed}"
    return InputError(told, code="NX-R221", where=f"run {known.state.run_id}", problems=found)
