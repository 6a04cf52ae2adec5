"""The time of an `async` handler: start_to_close as a whole, and the pause between two heartbeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from nexum.engine.work import Work
from nexum_workers.watchdog import STILL, boot_seconds

logger = logging.getLogger("nexum.worker")

GRACE_SECONDS = 2.0  # for a cancelled handler to clean up
WAKING_SECONDS = 2.0  # for a handler to bring the answer that arrived while its process stood still

Returned = tuple[Any, BaseException | None]  # what a handler returned, or what it raised


class OvertimeError(Exception):
    """The handler was cancelled because its start_to_close was over."""


class SilenceError(Exception):
    """The handler was cancelled because it sent no heartbeat."""


class Pulse:
    """How much time an attempt has left; 0 in the node means no limit. `beats=False` asks for no heartbeats."""

    def __init__(self, work: Work, *, beats: bool = True, clock: Callable[[], float] = boot_seconds) -> None:
        self.name = work.node.id
        self._clock = clock
        self._ends = clock() + work.max_run / 1e6 if work.max_run else float("inf")
        self._pause = work.node.timeouts.heartbeat / 1e6 if beats else 0.0
        self._beaten = clock()
        self._still = False

    def beat(self, _details: object = None) -> None:
        """The handler is alive."""
        self._beaten = self._clock()

    def left(self) -> float:
        """Seconds until the first of the two limits; not positive when one of them is over."""
        silent = self._beaten + self._pause if self._pause else float("inf")
        return min(self._ends, silent) - self._clock()

    def wake(self) -> None:
        """The process (or its loop) stood still beyond a limit: what has arrived meanwhile may still be read, once."""
        if self._still:
            return
        self._still = True
        until = self._clock() + WAKING_SECONDS
        self._ends = max(self._ends, until)
        self._beaten = max(self._beaten, until - self._pause)

    def over(self) -> Exception:
        """Which limit is over."""
        return OvertimeError() if self._ends <= self._clock() else SilenceError()


async def in_time(call: Coroutine[Any, Any, Returned], pulse: Pulse) -> Returned:
    """Await a call, and cancel it when its time is over. A value that comes in spite of that is a fact, and counts.

    One that goes on although it was cancelled may still act, so it has not ended: it is awaited for as long as it lasts, and
    the watchdog ends its process.
    """
    task = asyncio.ensure_future(call)
    while not task.done() and (left := pulse.left()) > 0:
        await asyncio.wait({task}, timeout=left if left < float("inf") else None)
        if -pulse.left() >= STILL:
            pulse.wake()
    if task.done():
        return task.result()
    over = pulse.over()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=GRACE_SECONDS)
    if not done:
        logger.error("%s does not end although it was cancelled", pulse.name)
        await asyncio.wait({task})
    value, error = (None, over) if task.cancelled() else task.result()
    return (value, None) if error is None else (None, over)
