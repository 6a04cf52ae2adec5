"""When is a failed attempt tried again, if ever?

The wait grows as the policy says, up to a ceiling, and is spread by jitter so that a thousand runs which failed together
do not return together. The spread comes from the cell's own identity: fold the same events twice, and the same instant
falls due.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nexum.core.graph.policies import RetryPolicy
from nexum.core.run.events import Cell


@dataclass(frozen=True, slots=True)
class Again:
    """Try once more at this instant (microseconds)."""

    at: int


@dataclass(frozen=True, slots=True)
class Enough:
    """No further attempt; the reason is shown to people."""

    because: str


def after(policy: RetryPolicy, attempt: int, *, failed_at: int, spread: float, asked: int = 0) -> Again | Enough:
    """Answer the failure of `attempt` (counted from 1); `spread` lies in [0, 1); `asked` is Retry-After in us."""
    if attempt >= policy.max_attempts:
        return Enough(f"attempt {attempt} of {policy.max_attempts} failed")
    if asked:
        return Again(failed_at + asked)
    return Again(failed_at + int(wait(policy, attempt) * (1 + policy.jitter * spread)))


def wait(policy: RetryPolicy, attempt: int) -> int:
    """The wait after `attempt` without jitter, in microseconds."""
    if policy.backoff == "fixed":
        grown: float = policy.first_wait
    elif policy.backoff == "linear":
        grown = policy.first_wait * attempt
    else:  # beyond some hundred doublings a float overflows; any such wait has long passed the ceiling
        grown = policy.first_wait * policy.factor ** min(attempt - 1, 100)
    return int(min(grown, policy.ceiling))


def spread_of(run_id: str, cell: Cell, attempt: int) -> float:
    """A number in [0, 1) that belongs to this attempt and never changes."""
    digest = hashlib.sha256(f"{run_id}\n{cell.path}\n{cell.visit}\n{cell.item}\n{attempt}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
