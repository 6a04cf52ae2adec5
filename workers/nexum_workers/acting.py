"""A handler that acts through journaled calls: what it acts through, and what its calls say of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Doubt
from nexum.engine.calls import Journal
from nexum.engine.work import Failed, TakenBack, Waits, Work
from nexum.errors import HandlerError
from nexum.sdk.io import IO
from nexum_workers.outcome import call_made

_LOOK_SECONDS = 1.0  # a thread that waits for calls under way is given back this soon after nobody waits any more


def io_of(work: Work, journal: Journal, *, max_payload: int) -> IO:
    """What one attempt acts through; `max_payload` is in bytes, 0 for no limit."""
    assert isinstance(work.node, Effect)
    where = {"run_key": work.run_key, "node": work.node.id, "attempt": work.attempt}
    return IO(journal, provider=work.node.doubt, made=call_made, max_payload=max_payload, where=where)


async def aclose(io: IO) -> None:
    """Close it from a coroutine on the loop, where calls may still be under way, too."""
    while io.is_busy and not await asyncio.to_thread(io.close, _LOOK_SECONDS):
        pass
    io.close()


def end_of(
    io: IO, error: BaseException | None, failed: Callable[[BaseException, Doubt], Failed]
) -> TakenBack | Waits | Failed | None:
    """What the journal knows stands before what the handler made of it; None when what it returned counts.

    `error` is what the handler raised (None: it returned), `failed` makes an outcome of an exception, and of what the
    provider promises that raised it. A call that another run is making has no known outcome, so a handler that went on
    without it has returned nothing that counts.
    """
    if io.lost:
        return TakenBack()
    if io.waits and io.broken is None:
        swallowed = HandlerError("the handler returned over a call that another run is making", code="NX-E221")
        error = error or swallowed
        return Waits(io.waits, failed(error, io.policy_of(error)))
    error = io.broken or error
    return failed(error, io.policy_of(error)) if error is not None else None
