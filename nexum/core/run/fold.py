"""Events become state. Needs no graph and no clock: whatever mattered was resolved when the event was decided.

`fold` is total over legal histories; an event that has no row in the transition table raises `IllegalEventError`, which is
a bug of ours, never bad input (bad input was turned into `Ignored` before it became an event).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from nexum.core.ids import call_key
from nexum.core.run.events import (
    CELL_TERMINAL,
    RUN_TERMINAL,
    AttemptFailed,
    Body,
    CancelRequested,
    Cell,
    DoubtProposed,
    DoubtResolved,
    EffectInDoubt,
    Error,
    FailRequested,
    NodeCompleted,
    NodeParked,
    NodeScheduled,
    RetryRequested,
    RetryScheduled,
    RunClosing,
    RunStarted,
    SkipRequested,
    TimerFired,
)
from nexum.core.run.ledger import enter
from nexum.core.run.noting import noted
from nexum.core.run.places import call_name, cell_of_timer, inner_of, parent_of, timer_of
from nexum.core.run.state import CellState, CellStatus, Requested, State
from nexum.core.run.transitions import next_cell, next_phase
from nexum.core.values import placed

_DECISIONS = frozenset(
    {
        "NodeScheduled",
        "NodeSkipped",
        "NodeFailed",
        "NodeCancelled",
        "NodeStopping",
        "NodeParked",
        "RetryScheduled",
        "RunClosing",
        "RunCompleted",
        "RunFailed",
        "RunCancelled",
    }
)
_DECIDED = frozenset({"repair", "person"})  # a completion that follows from another event


class Event(NamedTuple):
    """A body with its place in the run and its recorded time."""

    seq: int
    at: int
    body: Body


def is_fact(body: Body) -> bool:
    """Whether the body came from outside; facts carry a dedupe key, decisions do not."""
    if isinstance(body, NodeCompleted):
        return body.by not in _DECIDED
    if isinstance(body, DoubtResolved):
        return body.by != "reconcile"
    return type(body).__name__ not in _DECISIONS


def fold(state: State, event: Event) -> State:
    """The state after one more event. Raises `IllegalEventError`."""
    body = event.body
    if event.seq != state.seq + 1:
        raise ValueError(f"event {event.seq} does not follow {state.seq}")
    fact = is_fact(body)
    if state.requested is not None:  # whatever follows a request is its answer
        state = state._replace(requested=None)
    state = state._replace(seq=event.seq, now=event.at if fact else state.now, fresh=() if fact else state.fresh)
    return _FOLDS[type(body).__name__](state, event)


def _started(state: State, event: Event) -> State:
    body: Any = event.body
    assert isinstance(body, RunStarted)
    return state._replace(
        phase=next_phase(state.phase, "RunStarted"),
        workflow=body.workflow,
        version=body.version,
        run_key=body.run_key,
        input=placed(body.input, event.seq),
    )


def _put(state: State, cell: Cell, cell_state: CellState) -> State:
    """Store a cell and keep `open`, `settled`, `timers` and `fresh` in step with it."""
    before = state.cells.get(cell)
    cells = state.cells.set(cell, cell_state)
    is_open = not cell_state.status.is_terminal
    opens = state.open
    timers = state.timers
    settled = state.settled
    if is_open and cell not in opens:
        opens = opens.set(cell, True)
    elif not is_open:
        if cell in opens:
            opens = opens.delete(cell)
        timer = timer_of(cell)
        if timer in timers:
            timers = timers.delete(timer)
        if cell_state.status in (CellStatus.COMPLETED, CellStatus.SKIPPED) and "/" not in cell.path:
            settled += 1
    fresh = state.fresh
    if (before is None or before.status is not cell_state.status) and cell not in fresh:
        fresh = (*fresh, cell)
    return state._replace(cells=cells, open=opens, timers=timers, settled=settled, fresh=fresh)


def _scheduled(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, NodeScheduled)
    status = next_cell(_status(state, body.cell), "NodeScheduled")
    made = CellState(
        status=status,
        kind=body.kind,
        attempt=1,
        scheduled_at=event.at,
        inputs=body.inputs,
        input_hash=body.input_hash,
        key=body.key,
        business=body.business,
        not_before=body.not_before,
        close_by=body.close_by,
        model=body.model,
    )
    state = _put(state, body.cell, made)
    if body.close_by:
        state = state._replace(timers=state.timers.set(timer_of(body.cell), body.close_by))
    parent = parent_of(body.cell)
    if parent is not None:
        above = state.cells[parent]
        match inner_of(body.cell):
            case "repair":
                above = above._replace(repairs=above.repairs + 1, rounds=above.rounds + 1)
            case "reconcile":
                above = above._replace(asked=above.asked + 1, ask_now=False)
        state = state._replace(cells=state.cells.set(parent, above))
    return state


def _status(state: State, cell: Cell) -> CellStatus | None:
    found = state.cells.get(cell)
    return found.status if found is not None else None


def _completed(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, NodeCompleted)
    state = _known_call(state, body.cell)
    told = {"answer": body.answer, "answered_at": event.at} if body.answer else {}
    output = placed(body.output, event.seq)
    at = state.cells.get(body.cell)
    state = _finish(state, body.cell, "NodeCompleted", output=output, reference=body.reference, **told)
    if at is None or at.kind != "effect":
        return state
    return enter(state, body.cell, at, output, body.by, body.source)


def _finish(state: State, cell: Cell, event: str, **changes: Any) -> State:
    before = state.cells.get(cell, CellState(CellStatus.SKIPPED))
    status = next_cell(_status(state, cell), event)
    return _put(state, cell, before._replace(status=status, inputs=(), **changes))


def _known_call(state: State, cell: Cell) -> State:
    """A call is not scheduled: the first fact about it makes its cell, with its node's inputs and the key that follows."""
    name = call_name(cell)
    if not name or cell in state.cells:
        return state
    parent = parent_of(cell)
    assert parent is not None
    above = state.cells[parent]
    key = call_key(above.key, name)
    made = CellState(CellStatus.SCHEDULED, kind="effect", scheduled_at=state.now, key=key, inputs=above.inputs)
    return state._replace(cells=state.cells.set(cell, made))


def _ended(state: State, event: Event) -> State:
    body: Any = event.body
    error = getattr(body, "error", None)
    changes = {"error": replace(error, trace="")} if error is not None else {}
    return _finish(state, body.cell, type(body).__name__, **changes)


def _parked(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, NodeParked)
    before = state.cells.get(body.cell, CellState(CellStatus.PARKED, kind="effect"))
    status = next_cell(_status(state, body.cell), "NodeParked")
    after = before._replace(status=status, error=replace(body.error, trace=""), overdue=False, close_by=0, stopping="")
    state = _put(state, body.cell, after)
    timer = timer_of(body.cell)  # how long a person takes is nobody's timeout
    return state._replace(timers=state.timers.delete(timer)) if timer in state.timers else state


def _attempt_failed(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, AttemptFailed)
    before = state.cells[body.cell]
    error = replace(body.error, trace="")
    raw = placed(body.raw, event.seq)
    after = before._replace(
        status=next_cell(before.status, "AttemptFailed"),
        error=error,
        retry_after=body.retry_after,
        repairable=body.repairable,
        raw=raw,
        doubtful=before.doubtful or body.sent != "no",
        quiet_from=max(before.quiet_from, body.alive_until),
    )
    state = _put(state, body.cell, after)
    parent = parent_of(body.cell)
    if parent is not None and body.repairable:  # the next round shows the model its latest answer, not its first
        above = state.cells[parent]._replace(error=error, raw=raw)
        state = state._replace(cells=state.cells.set(parent, above))
    return state


def _moved(state: State, event: Event) -> State:
    """Events that only change a cell's status."""
    body: Any = event.body
    state = _known_call(state, body.cell)
    before = state.cells[body.cell]
    after = before._replace(status=next_cell(before.status, type(body).__name__))
    if isinstance(body, EffectInDoubt):
        error = Error("NX-E201", body.evidence, type="InDoubt")
        after = after._replace(doubtful=True, error=error, quiet_from=body.quiet_from, proof=body.proof, proposed=None)
        if before.status is not CellStatus.IN_DOUBT:  # else it is better evidence: the asking goes on as it was
            after = after._replace(asked_before=after.asked, ask_now=False)
    return _put(state, body.cell, after)


def _stopping(state: State, event: Event) -> State:
    body: Any = event.body
    before = state.cells[body.cell]
    return _put(state, body.cell, before._replace(status=next_cell(before.status, "NodeStopping"), stopping=body.why))


def _retry(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, RetryScheduled)
    before = state.cells[body.cell]
    other_model = bool(body.model) and (body.model != before.model or before.status is CellStatus.PARKED)
    counted_from = before.counted_from
    if other_model or before.status is CellStatus.PARKED:
        counted_from = body.attempt
    elif body.by:
        counted_from += 1
    after = before._replace(
        status=next_cell(before.status, "RetryScheduled"),
        attempt=body.attempt,
        not_before=body.not_before,
        retry_after=0,
        repairable=False,
        model=body.model or before.model,
        counted_from=counted_from,
        rounds=0 if other_model else before.rounds,
    )
    return _put(state, body.cell, after)


def _resolved(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, DoubtResolved)
    if body.outcome == "happened":
        output = placed(body.output, event.seq)
        at = state.cells[body.cell]
        state = _finish(
            state, body.cell, "NodeCompleted", output=output, reference=body.reference, doubtful=False, proposed=None
        )
        return enter(state, body.cell, at, output, "attempt")
    before = state.cells[body.cell]
    status = next_cell(before.status, "DoubtResolved")
    if before.stopping and not call_name(body.cell):
        status = CellStatus.STOPPED
    error = Error("NX-E201", body.evidence, type="InDoubt", retryable=body.outcome == "did_not_happen")
    cleared = before.cleared or body.by == "reconcile"
    after = before._replace(status=status, doubtful=False, error=error, ask_now=False, cleared=cleared, proposed=None)
    return _put(state, body.cell, after)


def _noted(state: State, event: Event) -> State:
    """Something about a doubt that does not end it; nothing is decided from what waits for a second person."""
    body: Any = event.body
    at = noted(state.cells[body.cell], body, event.seq, event.at)
    fresh = state.fresh if isinstance(body, DoubtProposed) else (body.cell,)
    return state._replace(cells=state.cells.set(body.cell, at), fresh=fresh)


def _timer(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, TimerFired)
    cell = cell_of_timer(body.timer)
    state = state._replace(timers=state.timers.delete(body.timer), fresh=(cell,))
    overdue = state.cells[cell]._replace(overdue=True)
    return state._replace(cells=state.cells.set(cell, overdue))


def _closing(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, RunClosing)
    return state._replace(
        phase=next_phase(state.phase, "RunClosing"),
        cause=body.cause,
        cause_error=body.error,
        cause_cell=body.cell,
        compensate=body.compensate,
    )


def _run_ended(state: State, event: Event) -> State:
    return state._replace(
        phase=next_phase(state.phase, type(event.body).__name__),
        timers=_NOTHING.timers,
        open=_NOTHING.open,
        fresh=(),
    )


def _cancel(state: State, event: Event) -> State:
    body = event.body
    assert isinstance(body, CancelRequested)
    return state._replace(cancel_reason=body.reason or "no reason given", compensate=body.compensate)


def _requested(state: State, event: Event) -> State:
    body: Any = event.body
    output = placed(getattr(body, "output", None), event.seq)
    return state._replace(
        requested=Requested(body.cell, _WISHES[type(body)], body.reason, output, getattr(body, "not_before", 0))
    )


_WISHES: dict[type[Any], str] = {RetryRequested: "retry", SkipRequested: "skip", FailRequested: "fail"}


_NOTHING = State("")

_FOLDS: dict[str, Callable[[State, Event], State]] = {
    "RunStarted": _started,
    "NodeScheduled": _scheduled,
    "NodeSkipped": _ended,
    "NodeCompleted": _completed,
    "NodeFailed": _ended,
    "NodeCancelled": _ended,
    "NodeStopping": _stopping,
    "NodeParked": _parked,
    "AttemptFailed": _attempt_failed,
    "AttemptStopped": _moved,
    "EffectInDoubt": _moved,
    "DoubtResolved": _resolved,
    "DoubtProposed": _noted,
    "ReconcileRequested": _noted,
    "SenderEnded": _noted,
    "RetryScheduled": _retry,
    "TimerFired": _timer,
    "CancelRequested": _cancel,
    "RetryRequested": _requested,
    "SkipRequested": _requested,
    "FailRequested": _requested,
    "RunSuspended": lambda state, event: state._replace(suspended=True),
    "RunResumed": lambda state, event: state._replace(suspended=False, fresh=tuple(sorted(state.cells))),
    "RunClosing": _closing,
    **dict.fromkeys(("DuplicateEffectSuspected", "DuplicateAcknowledged", "Ignored"), lambda state, event: state),
    **dict.fromkeys(RUN_TERMINAL, _run_ended),
}

assert _FOLDS.keys() >= CELL_TERMINAL
