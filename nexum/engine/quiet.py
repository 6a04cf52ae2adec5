"""From when on can nobody send an effect any more? What is known of its sender says so.

A process that is proven to be dead sends nothing more. One that only fell silent may be stopped and come back: then the
time limit of the attempt speaks, behind which its own watchdog ends it. Without a time limit nothing speaks.
"""

from __future__ import annotations

from nexum.core.run.accept import LINGERS
from nexum.core.run.events import NEVER
from nexum.engine.work import Work
from nexum.store.api import Claimed, Held


def quiet_from(held: Held) -> int:
    """The instant from which the holder of a dead session's task cannot send any more; `NEVER` when nobody knows."""
    deadline = quiet_at_last(held.claimed_at, held.claimed.max_run)
    if held.expired:
        return deadline
    return held.ended_at if held.claimed.deliveries <= 1 else max(held.ended_at, deadline)  # who had it before may live


def reported_by_all(claimed: Claimed) -> bool:
    """Whether everybody who was given the effect before this claim has said how that ended."""
    return claimed.deliveries <= 1 and not claimed.holder


def quiet_after(claimed: Claimed) -> int:
    """The instant from which nobody who was given the effect before this claim can send it any more."""
    return claimed.now if reported_by_all(claimed) else quiet_at_last(claimed.now, claimed.max_run)


def alive_until(work: Work) -> int:
    """Until when somebody who was given the same attempt before may be alive; 0 when nobody was."""
    return quiet_at_last(work.now, work.max_run) if work.key and work.deliveries > 1 else 0


def quiet_at_last(claimed_at: int, max_run: int) -> int:
    """The instant behind which whoever was given an attempt at `claimed_at` cannot send any more; `NEVER` without a limit."""
    return claimed_at + max_run + LINGERS if max_run else NEVER
