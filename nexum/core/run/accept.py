"""A message from outside becomes the fact that it is *now*: total, never an error.

Messages race: a result may come after its cell has ended, a timer may fire after it was disarmed. What no longer fits
becomes `Ignored(what, why)`. One rule here protects money: an effect whose outcome is unknown is never closed by a plain
failure. Where another attempt under the same key is not allowed any more, the failure is accepted as `EffectInDoubt`.
"""

from __future__ import annotations

from dataclasses import replace

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import MINUTE, Dedupes
from nexum.core.run.asking import last_asking
from nexum.core.run.calls import doubtful_calls, undecidable
from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    Body,
    CancelRequested,
    Cell,
    DoubtProposed,
    DoubtResolved,
    DuplicateAcknowledged,
    DuplicateEffectSuspected,
    EffectInDoubt,
    FailRequested,
    Ignored,
    NodeCompleted,
    ReconcileRequested,
    RetryRequested,
    RunResumed,
    RunSuspended,
    RunTerminated,
    SenderEnded,
    SkipRequested,
    TimerFired,
)
from nexum.core.run.ledger import serves_undo
from nexum.core.run.places import call_name, parent_of
from nexum.core.run.plan import Plan
from nexum.core.run.requesting import misfit
from nexum.core.run.state import CellState, CellStatus, Phase, State

LINGERS = 2 * MINUTE  # a process that has outrun its time is ended by its watchdog within this
_CUT_OFF = frozenset({"NX-R202", "NX-R205"})  # reported about a handler, not by it: it may still be at work
SERVER_ERROR = 500  # from this HTTP status on the fault is the provider's
SAFE_SHARE = 0.8  # of the provider's key lifetime: beyond it a repeated key may act again

_RELEASED = CellStatus.ATTEMPT_FAILED  # a call that is known not to have happened, and may be made again
_REPORTING = frozenset({CellStatus.SCHEDULED, CellStatus.STOPPING})


def accept(plan: Plan, state: State, message: Body, now: int) -> Body:
    """The fact that the message is, in this state, at this recorded time."""
    if state.phase.is_ended:
        return _ignored(message, f"the run has ended as {state.phase}")
    match message:
        case NodeCompleted():
            return _accept_completion(state, message)
        case AttemptFailed():
            return _accept_failure(plan, state, message, now)
        case AttemptStopped():
            return _accept_stop(plan, state, message, now)
        case EffectInDoubt():
            return _accept_doubt(state, message)
        case DoubtResolved() | DoubtProposed():
            return _accept_decision(state, message)
        case ReconcileRequested():
            return _accept_asking(plan, state, message, now)
        case SenderEnded():
            at = state.cells.get(message.cell)
            waits = at is not None and at.status is CellStatus.IN_DOUBT and at.attempt == message.attempt
            sooner = waits and at is not None and message.quiet_from < at.quiet_from
            return message if sooner else _ignored(message, "nobody waits for that")
        case TimerFired():
            return _accept_timer(state, message, now)
        case CancelRequested():
            if state.phase is Phase.CLOSING or state.cancel_reason:
                return _ignored(message, "already closing")
            return message
        case RunResumed():
            return message if state.suspended else _ignored(message, "the run is not suspended")
        case RetryRequested() | SkipRequested() | FailRequested():
            why = misfit(state, message, now)
            return _ignored(message, why) if why else message
        case RunTerminated():
            return replace(message, in_doubt=_in_doubt(state))
        case RunSuspended() | Ignored() | DuplicateAcknowledged():
            return message
        case _:
            return _ignored(message, f"{type(message).__name__} does not come from outside")


def _accept_completion(state: State, message: NodeCompleted) -> Body:
    at = state.cells.get(message.cell)
    if call_name(message.cell):
        return _accept_call(state, message)
    if at is None:
        return _ignored(message, "nothing was scheduled there")
    if at.kind == "effect" and doubtful_calls(state, message.cell):
        return _ignored(message, "its calls are in doubt")
    if at.status in _REPORTING or at.status is CellStatus.IN_DOUBT:
        late = state.phase is Phase.CLOSING and at.kind == "effect" and not serves_undo(message.cell)
        return replace(message, late=True) if late else message
    if at.status is CellStatus.ATTEMPT_FAILED and at.kind == "effect":
        return _ignored(message, "waits for a decision")
    if at.kind == "effect" and at.status is not CellStatus.SKIPPED:
        return second_result(at, message)
    return _ignored(message, f"the cell is {at.status}")


def _accept_call(state: State, message: NodeCompleted | EffectInDoubt) -> Body:
    """A fact about a call counts whatever its node is about: it happened, or nobody knows."""
    at, parent = state.cells.get(message.cell), parent_of(message.cell)
    if parent is None or parent not in state.cells:
        return _ignored(message, "nothing was scheduled there")
    if at is not None and at.status is CellStatus.COMPLETED and isinstance(message, NodeCompleted):
        return second_result(at, message)
    if at is not None and (
        at.status.is_terminal or (isinstance(message, EffectInDoubt) and at.status is not _RELEASED)
    ):
        return _ignored(message, f"the call is {at.status}")
    return message


def second_result(at: CellState, message: NodeCompleted) -> Body:
    """What a result is for an effect that has ended: the same one again, or one that was not to be."""
    if at.status is CellStatus.COMPLETED and at.output is not None:
        both = bool(at.reference and message.reference)
        same = at.reference == message.reference if both else at.output.hash == message.output.hash
        if same:
            return _ignored(message, "this result is recorded")
    return DuplicateEffectSuspected(message.cell, message.attempt, message.output, message.reference, at.reference)


def _accept_failure(plan: Plan, state: State, message: AttemptFailed, now: int) -> Body:
    at = state.cells.get(message.cell)
    node = plan.node_at(message.cell.path)
    if at is not None and _says_it_acted(at, message):
        return EffectInDoubt(message.cell, message.attempt, _evidence(message), "acted", at.quiet_from, message.raw)
    if at is None or at.status not in _REPORTING:
        return _ignored(message, "no attempt is under way there")
    if message.attempt != at.attempt:
        return _ignored(message, f"attempt {message.attempt} is over, {at.attempt} is under way")
    if not isinstance(node, Effect) or node.io:
        return message
    if message.sent == "no" and not at.doubtful:
        return message
    if _may_repeat(node, at, message, now):
        return message
    lingers = LINGERS if message.error.code in _CUT_OFF else 0
    quiet = max(now + lingers, at.quiet_from, message.alive_until)
    repeats = at.cleared and _is_stored(node, message)  # not known to it, and yet the same answer: the key is used up
    proof = "acted" if message.sent == "yes" else "stored" if repeats else "reported"
    raw = message.raw if proof == "acted" else None
    return EffectInDoubt(message.cell, message.attempt, _evidence(message), proof, quiet, raw)


def _says_it_acted(at: CellState, message: AttemptFailed) -> bool:
    """Whether this ends what is not known about an effect in doubt: it was done, though its result cannot be recorded."""
    late = at.status is CellStatus.IN_DOUBT and message.attempt == at.attempt
    return late and message.sent == "yes" and at.proof != "acted"


def _evidence(message: AttemptFailed) -> str:
    return f"{message.error.code}: {message.error.message}"[:2_000]


def _may_repeat(node: Effect, at: CellState, message: AttemptFailed, now: int) -> bool:
    return (
        isinstance(node.doubt, Dedupes)
        and at.status is CellStatus.SCHEDULED
        and message.error.retryable
        and message.sent != "yes"
        and not _is_stored(node, message)
        and not at.overdue
        and at.attempt - at.counted_from + 1 < node.retry.max_attempts
        and now + message.retry_after - at.scheduled_at < node.doubt.ttl * SAFE_SHARE
    )


def _is_stored(node: Effect, message: AttemptFailed) -> bool:
    """Whether the provider would only repeat this answer under the same key."""
    return isinstance(node.doubt, Dedupes) and node.doubt.stored_errors and message.status >= SERVER_ERROR


def _accept_stop(plan: Plan, state: State, message: AttemptStopped, now: int) -> Body:
    at = state.cells.get(message.cell)
    if at is None or at.status is not CellStatus.STOPPING or message.attempt != at.attempt:
        return _ignored(message, "nothing there is being stopped")
    node = plan.node_at(message.cell.path)
    if at.doubtful and not (isinstance(node, Effect) and node.io):
        evidence = "an earlier attempt may have acted"
        return EffectInDoubt(message.cell, message.attempt, evidence, "reported", max(now, at.quiet_from))
    return message


def _accept_doubt(state: State, message: EffectInDoubt) -> Body:
    at = state.cells.get(message.cell)
    if call_name(message.cell):
        return _accept_call(state, message)
    if at is None or at.status not in _REPORTING or message.attempt != at.attempt:
        return _ignored(message, "no attempt is under way there")
    return message


def _accept_decision(state: State, message: DoubtResolved | DoubtProposed) -> Body:
    """A decision of two people is the one that the first of them has stated, as it stands now."""
    at = state.cells.get(message.cell)
    if at is None or at.status is not CellStatus.IN_DOUBT or _is_decided(message):
        return _ignored(message, "the effect is not in doubt")
    if why := undecidable(state, message.cell):
        return _ignored(message, why)
    if isinstance(message, DoubtProposed) or not message.confirms:
        return message
    made = at.proposed
    stated = (made.seq, made.outcome, made.output, made.reference) if made is not None else None
    if stated != (message.confirms, message.outcome, message.output, message.reference):
        return _ignored(message, "what was to be confirmed has changed")
    return message


def _is_decided(message: DoubtResolved | DoubtProposed) -> bool:
    """Whether this is a decision of ours, which does not come from outside."""
    return isinstance(message, DoubtResolved) and message.by == "reconcile"


def _accept_asking(plan: Plan, state: State, message: ReconcileRequested, now: int) -> Body:
    at = state.cells.get(message.cell)
    if at is None or at.status is not CellStatus.IN_DOUBT:
        return _ignored(message, "the effect is not in doubt")
    node = plan.node_at(message.cell.path)
    if not isinstance(node, Effect) or node.reconcile is None:
        return _ignored(message, "the effect says nobody to ask")
    last = last_asking(state, message.cell)
    under_way = last is not None and not last[1].status.is_terminal and last[1].not_before <= now
    return _ignored(message, "the provider is being asked") if under_way else message


def _accept_timer(state: State, message: TimerFired, now: int) -> Body:
    due = state.timers.get(message.timer)
    if due is None:
        return _ignored(message, "the timer is not armed")
    if due > now:
        return _ignored(message, f"the timer is due at {due}, not yet")
    return message


def _in_doubt(state: State) -> tuple[Cell, ...]:
    """Where an effect may have acted without anybody knowing."""
    return tuple(cell for cell in sorted(state.open) if _may_have_acted(state.cells[cell]))


def _may_have_acted(at: CellState) -> bool:
    return at.status is CellStatus.IN_DOUBT or at.doubtful


def _ignored(message: Body, why: str) -> Ignored:
    return Ignored(type(message).__name__, why)
