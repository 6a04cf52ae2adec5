"""What is known about a run when somebody asks why it is not moving: plain values, read from the store's tables.

Times are microseconds since 1970 by the store's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nexum.core.run.state import Phase

# Rare events by which a run stops or goes on, however long ago they were: a page of runs looks for nothing older but these.
TURNS = frozenset(
    {
        *("RunSuspended", "RunResumed", "RunClosing", "CancelRequested"),
        *("NodeParked", "RetryRequested", "SkipRequested", "FailRequested"),
    }
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as it was recorded: its code, its message, and where it arose ("" when nowhere in particular)."""

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """One task: an attempt that waits or is under way.

    `since` is when it became ready or was claimed; `worker` names who holds it ("" when nobody does); `silent` is how long
    that worker has not been heard of beyond its lease, in microseconds (0: it is alive). `trouble` is the last failure.
    `key` is the business key that another run holds, at `holder` (RUN/NODE) since `held_since`; `doubted`: it is in doubt
    there.
    """

    path: str
    attempt: int
    since: int
    attempts: int = 0
    not_before: int = 0
    worker: str = ""
    silent: int = 0
    trouble: Trouble | None = None
    key: str = ""
    holder: str = ""
    held_since: int = 0
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class DoubtSeen:
    """An effect whose outcome nobody knows.

    `asks_at` is when its provider is asked next (0: not by itself), `asker` the worker that is asking just now. `said` is
    what came of the last asking, in words. `can_ask`: its version says whom to ask. `proposed` is who has decided, as `outcome`,
    and waits for a second person.
    """

    path: str
    since: int
    tool: str = ""
    asks_at: int = 0
    asker: str = ""
    said: str = ""
    can_ask: bool = False
    proposed: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class ParkedSeen:
    """A node that waits for a person; `trouble` is what its last attempt ended with."""

    path: str
    since: int
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class BreakerSeen:
    """A circuit breaker that lets the attempts at `path` not pass; `next_probe` is 0 when a person holds it without an end."""

    path: str
    name: str
    since: int
    next_probe: int
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who serves the queue of this version: how many processes, when the last one left (0: never seen), tasks ahead."""

    live: int = 0
    last_left: int = 0
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a standing is made from. `trouble` is the run's error, or that of its suspension.

    `undone`, `given_up` and `left` are what the end of the run says about its deeds; the last two are paths.
    `broken` is the code that says why nothing can be appended to an open run ("" when it can).
    """

    run_id: str
    workflow: str
    version: str
    phase: Phase
    started_at: int
    ended_at: int = 0
    suspended_at: int = 0
    broken: str = ""
    tasks: tuple[TaskSeen, ...] = ()
    doubts: tuple[DoubtSeen, ...] = ()
    parked: tuple[ParkedSeen, ...] = ()
    undone: str = ""
    given_up: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    trouble: Trouble | None = None
    reason: str = ""
    fleet: Fleet = field(default_factory=Fleet)
    breakers: tuple[BreakerSeen, ...] = ()
