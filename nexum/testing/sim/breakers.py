"""What must hold about circuit breakers: they move as their policy says, and nobody is let through an open one.

Every node that has a breaker shares one with the others of its tenant, under one policy, so that a row says by itself what may
become of it. A row's `changed_at` is the time at which whoever changed it has read it: the database's clock may have been
stepped since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from nexum.core.graph.policies import BreakerPolicy
from nexum.core.run.breaker import CLOSED, HALF_OPEN, OPEN, Breaker, breaker_of, forced_now
from nexum.engine.work import Work
from nexum.testing.sim.machine import SECOND, Machine

POLICY = BreakerPolicy(name="gate", failures=2, within=30 * SECOND, open_for=6 * SECOND, probes=1)
_MOVES = {
    (CLOSED, OPEN),
    (OPEN, HALF_OPEN),
    (HALF_OPEN, OPEN),
    (HALF_OPEN, CLOSED),
}


class Breakers:
    """Looks at breakers. `say` writes a violation down, `clock` is the database's."""

    def __init__(self, machine: Machine, say: Callable[[str, str], None]) -> None:
        self._machine = machine
        self._say = say
        self._past: dict[tuple[str, str], list[tuple[int, Breaker, str]]] = defaultdict(list)
        self._claimed_at: dict[object, int] = {}

    def claimed(self, name: object) -> None:
        """A task was claimed under a token just now."""
        self._claimed_at[name] = self._machine.now

    def changed(self, before: Breaker | None, after: Breaker) -> None:
        """A breaker was written."""
        was = before or Breaker(after.tenant, after.name)
        by = self._machine.current.process.name if self._machine.current is not None else ""
        self._past[after.tenant, after.name].append((self._machine.now, after, by))
        moved = was.state != after.state
        if after.revision != was.revision + 1:
            self._say("B1", f"breaker {after.name} went from revision {was.revision} to {after.revision}")
        if by.startswith("person") or (was.forced, was.actor, was.reason) != (after.forced, after.actor, after.reason):
            return  # people may do anything
        if moved and (was.state, after.state) not in _MOVES:
            self._say("B1", f"breaker {after.name} went from {was.state} to {after.state}")
        if moved and was.state == CLOSED and not self._has_failed(after):
            self._say("B1", f"breaker {after.name} opened after failures at {after.failures}")
        again = after.state == HALF_OPEN and after.probe_at != was.probe_at
        if again and after.changed_at < was.probe_at:
            self._say("B1", f"breaker {after.name} was probed at {after.changed_at}, and not due before {was.probe_at}")
        lost = {at for at in was.failures if at > after.changed_at - POLICY.within} - set(after.failures)
        if not moved and after.state == CLOSED and lost and len(after.failures) < POLICY.failures:
            self._say("B1", f"breaker {after.name} has forgotten the failures at {sorted(lost)}")
        if after.probing > POLICY.probes:
            self._say("B1", f"breaker {after.name} is probed {after.probing} times at once")

    def begins(self, work: Work, now: int) -> None:
        """An attempt is about to be made: since it was claimed its breaker was closed, or it is a probe."""
        found = breaker_of(work.graph.workflow, work.node)
        if found is None:
            return
        since = self._claimed_at.get((work.task, work.token), 0)
        past = [(0, Breaker(work.tenant, found[0]), ""), *self._past[work.tenant, found[0]]]
        for place, (_, row, by) in enumerate(past):
            until = past[place + 1][0] if place + 1 < len(past) else self._machine.now
            if until >= since and (self._lets_through(row, now) or by == self._mine):
                return
        self._say("B1", f"{work.task} is executed, and its breaker {found[0]} was open: {past[-1][1]}")

    @property
    def _mine(self) -> str:
        assert self._machine.current is not None
        return self._machine.current.process.name

    @staticmethod
    def _lets_through(row: Breaker, now: int) -> bool:
        forced = forced_now(row, now)
        return forced == CLOSED or (row.state == CLOSED and not forced) or bool(row.forced and not forced)

    @staticmethod
    def _has_failed(row: Breaker) -> bool:
        young = [at for at in row.failures if at > row.changed_at - POLICY.within]
        return len(young) >= POLICY.failures
