"""A circuit breaker: after so many failures within a while, nobody asks a tool that is down, but for a probe now and then.

Closed: everybody passes, and failures are counted; those older than the window are forgotten. Open: nobody passes until the
next probe is due. Half open: as many probes pass as the policy says, at most once in each pause; a success of one closes the
breaker, a failure opens it for the same pause again. A probe that never answers bars nothing: the next one is due a pause
later. What a person has forced goes before all this, until it is taken back or its time has passed.

Values in, values out; the store keeps the row and lets nobody write over a change that he has not seen.
"""

from __future__ import annotations

from typing import NamedTuple

from nexum.core.graph.nodes import Effect, Llm
from nexum.core.graph.policies import BreakerPolicy
from nexum.core.graph.workflow import AnyNode

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
FORCED_PAUSE = 30_000_000  # us between two looks at a breaker that a person holds open, or may let go of


class Breaker(NamedTuple):
    """Where a breaker stands; times are microseconds. `probing` counts the probes since `probe_at` was set.

    `forced` is open, closed or "", until `forced_until` (0: until taken back), by `actor`, for a `reason`. `revision` counts
    the changes; 0: nobody has written it yet.
    """

    tenant: str
    name: str
    state: str = CLOSED
    failures: tuple[int, ...] = ()
    opened_at: int = 0
    open_for: int = 0
    probe_at: int = 0
    probing: int = 0
    forced: str = ""
    forced_until: int = 0
    actor: str = ""
    reason: str = ""
    changed_at: int = 0
    revision: int = 0


class Verdict(NamedTuple):
    """Whether an attempt may be made; if not, in how many microseconds to ask again. `probe`: its outcome decides."""

    passes: bool
    wait: int = 0
    probe: bool = False


def breaker_of(workflow: str, node: AnyNode) -> tuple[str, BreakerPolicy] | None:
    """The name and policy of a node's breaker: its own name, else what the node touches; None when it declares none."""
    policy: BreakerPolicy | None = getattr(node, "breaker", None)
    if policy is None:
        return None
    match node:
        case Effect():
            touched = node.tool
        case Llm():
            touched = node.models[0]
        case _:
            touched = f"{workflow}.{node.id}"
    return policy.name or touched, policy


def forced_now(breaker: Breaker, now: int) -> str:
    """What a person holds it at: open, closed or ""."""
    return breaker.forced if not breaker.forced_until or now < breaker.forced_until else ""


def standing_of(breaker: Breaker, now: int) -> str:
    """What whoever looks is told: open, half_open or closed."""
    return forced_now(breaker, now) or breaker.state


def next_probe(breaker: Breaker, now: int) -> int:
    """The instant from which somebody may pass again; 0 while it is closed, or for as long as a person holds it open."""
    if forced_now(breaker, now):
        return breaker.forced_until if breaker.forced == OPEN else 0
    return 0 if breaker.state == CLOSED else breaker.probe_at


def ask(breaker: Breaker, policy: BreakerPolicy, now: int) -> tuple[Breaker, Verdict]:
    """Whether one more attempt may be made now. The breaker that is given back must be kept before it is made."""
    forced = forced_now(breaker, now)
    if forced == OPEN:
        return breaker, Verdict(False, breaker.forced_until - now if breaker.forced_until else FORCED_PAUSE)
    if forced == CLOSED or breaker.state == CLOSED:
        return breaker, Verdict(True)
    if now >= breaker.probe_at:
        half = breaker._replace(state=HALF_OPEN, probing=1, probe_at=now + policy.open_for, open_for=policy.open_for)
        return half, Verdict(True, probe=True)
    if breaker.state == HALF_OPEN and breaker.probing < policy.probes:
        return breaker._replace(probing=breaker.probing + 1), Verdict(True, probe=True)
    return breaker, Verdict(False, breaker.probe_at - now)


def tell(breaker: Breaker, policy: BreakerPolicy, now: int, *, well: bool) -> Breaker:
    """What an attempt's outcome makes of it; the same breaker when nothing follows."""
    if forced_now(breaker, now):
        return breaker
    if well:
        return _closed(breaker) if breaker.state == HALF_OPEN else breaker
    if breaker.state == OPEN:
        return breaker  # sent before it opened
    if breaker.state == HALF_OPEN:
        return _opened(breaker, policy, now)
    recent = tuple(at for at in breaker.failures if at > now - policy.within)
    counted = breaker._replace(failures=(*recent, now)[-policy.failures :])
    return _opened(counted, policy, now) if len(recent) + 1 >= policy.failures else counted


def force(breaker: Breaker, state: str, *, until: int, actor: str, reason: str) -> Breaker:
    """Hold it open or closed; with "" it begins anew, closed and without failures, and decides for itself again."""
    held = breaker if state else _closed(breaker)
    return held._replace(forced=state, forced_until=until if state else 0, actor=actor, reason=reason)


def _closed(breaker: Breaker) -> Breaker:
    return breaker._replace(state=CLOSED, failures=(), opened_at=0, probe_at=0, probing=0)


def _opened(breaker: Breaker, policy: BreakerPolicy, now: int) -> Breaker:
    since = breaker.opened_at if breaker.state == HALF_OPEN else now
    return breaker._replace(
        state=OPEN, opened_at=since, open_for=policy.open_for, probe_at=now + policy.open_for, probing=0
    )
