"""A run that cannot go on stops alone: by an event where its history can be continued, else by being put off.

Suspending needs the events and no graph, so that it works when the graph is what is missing. Where not even the events can
be folded, or do not lead to where the run's row stands, nothing can be appended honestly: then the row shows the error, the
task is put off for `LATER` and looked at again, and what was recorded stays as it is until somebody has repaired it.
"""

from __future__ import annotations

import logging

from nexum.core.run.codec import GENESIS
from nexum.core.run.events import Error, RunSuspended
from nexum.core.run.fold import Event, fold
from nexum.core.run.standing import LATER
from nexum.core.run.state import State
from nexum.engine.changes import waiting_tasks
from nexum.engine.loading import link
from nexum.engine.seal import seal
from nexum.errors import ConfigurationError, InternalError, NexumError, UnavailableError
from nexum.store.api import Advance, Drain, Store, TaskKey

log = logging.getLogger("nexum.engine")

BROKEN = "NX-S120"
OURS = "NX-R406"
# Not the run's fault: the database is away, or this installation does not fit it. Other runs would fare no better.
ELSEWHERE = (UnavailableError, ConfigurationError)

Claim = tuple[TaskKey, int]


def cause_of(error: Exception) -> Error:
    """An exception as the error of a suspension."""
    kind = type(error).__name__
    if isinstance(error, NexumError):
        return Error(error.code, error.message[:2_000], type=kind)
    return Error(OURS, f"{kind}: {error}"[:2_000], type=kind)


def give_up(store: Store, run_id: str, error: Exception, *, session: str, claim: Claim | None = None) -> None:
    """Stop a run about which this was raised; `claim` is the task that this session holds of it.

    Idempotent. Raises `UnavailableError` when the database does not answer, `ConfigurationError` when it does not fit.
    """
    if claim is not None:  # first and for later, so that nobody takes it meanwhile, whatever becomes of this process
        store.release(session, *claim, pause=LATER)
    cause = cause_of(error)
    try:
        suspended = suspend(store, run_id, cause, actor=session)
    except ELSEWHERE:
        raise
    except Exception:
        store.mark(run_id, BROKEN)
        log.exception(
            "[%s] run %s cannot go on, and its history cannot be continued by a suspension: %s",
            BROKEN,
            run_id,
            cause.message,
            extra={"code": BROKEN, "run": run_id},
        )
        return
    if suspended:
        log.error(
            "[%s] run %s is suspended: %s",
            cause.code,
            run_id,
            cause.message,
            exc_info=error,
            extra={"code": cause.code, "run": run_id},
        )


def suspend(store: Store, run_id: str, cause: Error | None, *, actor: str) -> bool:
    """Append the suspension (once; none without a cause) and take a suspended run's waiting tasks out of the queue.

    True when the event is new. Raises `InternalError` NX-S120, or whatever folding raises, when the history cannot be
    continued.
    """
    now = store.now()
    with store.drain(run_id, wait=True) as held:
        if held is None:
            return False
        head = held.head
        state, digest = link(State(run_id, tenant=head.tenant), GENESIS, held.events_after(0))
        if (state.seq, digest) != (head.seq, head.hash):
            raise InternalError("the events do not lead to where the run stands", code=BROKEN, where=f"run {run_id}")
        if state.phase.is_ended:
            return False
        new = cause is not None and not state.suspended
        if cause is not None and new:
            state = _append(held, state, digest, Event(state.seq + 1, max(now, state.now), RunSuspended(cause)), actor)
        if state.suspended:
            held.cancel_ready(waiting_tasks(state))
        return new


def _append(held: Drain, state: State, digest: bytes, event: Event, actor: str) -> State:
    after = fold(state, event)
    rows = seal(state, digest, (event,), dedupe="", payload=b"", actor=actor, trace=held.head.trace)
    held.apply(
        Advance(
            run_id=state.run_id,
            tenant=state.tenant,
            seq=state.seq,
            hash=digest,
            events=rows,
            status=str(after.phase),
        )
    )
    return after
