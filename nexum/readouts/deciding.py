"""Where a group of dead letters stands, from what people have decided about it and from what has failed since.

Nothing is stored of it: an acknowledged group is open again with the next failure, and one that was fixed in a version has
regressed when it fails in that version or in one that was registered later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nexum.store.deadletters import DecisionRow

BARS = 24


class Place(NamedTuple):
    """A failure of a group: when, and in which version."""

    at: int
    version: str


class GroupState(NamedTuple):
    """`state` is open, acknowledged, ignored, fixed or regressed; `by` whom and why. `until` ends an ignoring (0: nobody has said).

    `reopened`: somebody had acknowledged it, and it has failed since.
    """

    state: str
    until: int
    by: str
    reason: str
    assigned: str
    fixed_in: str
    reopened: bool


def state_of(
    decisions: Sequence[DecisionRow], failures: Sequence[Place], registered: Mapping[str, int], now: int
) -> GroupState:
    """The state that follows from these decisions, the oldest first. `registered` is when each version was."""
    assigned, last = "", None
    for row in decisions:
        if row.what == "assign":
            assigned = row.value
        else:
            last = None if row.what == "notice" else row
    if last is None:
        return GroupState("open", 0, "", "", assigned, "", reopened=False)
    since = [failure for failure in failures if failure.at > last.at]
    match last.what:
        case "ignore":
            state = "ignored" if not last.until or last.until > now else "open"
        case "fixed":
            first = registered.get(last.value, 0)
            again = any(registered.get(failure.version, 0) >= first for failure in since)
            state = "regressed" if again else "fixed"
        case _:
            state = "open" if since else "acknowledged"
    named = last.actor, last.reason
    fixed_in = last.value if last.what == "fixed" else ""
    if state == "open":
        return GroupState("open", 0, "", "", assigned, "", reopened=last.what == "acknowledge")
    return GroupState(state, last.until, *named, assigned, fixed_in, reopened=False)


def occurrences(failures: Sequence[Place], now: int) -> tuple[int, ...]:
    """How often it failed in each of `BARS` equal spans from the first failure until `now`."""
    first = min(failure.at for failure in failures)
    span = max(1, now - first + 1)
    counts = [0] * BARS
    for failure in failures:
        counts[min(BARS - 1, max(0, (failure.at - first) * BARS // span))] += 1
    return tuple(counts)
