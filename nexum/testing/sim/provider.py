"""The outside world: tools that act on a key, and the ledger of what they have done, which is the judge.

A request travels. It may be refused at the door (it never left), declined (the provider says that it did nothing), lost on
the way there, executed long after its sender has died, and its answer may be lost. A tool that dedupes answers a key that
it knows with what it answered before, for as long as it keeps keys; it may also have kept an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from nexum.testing.sim.faults import Faults
from nexum.testing.sim.machine import SECOND, Fiber, Machine

PATIENCE = 8 * SECOND  # for which a sender waits for an answer
LONGEST = 20 * SECOND  # that a request travels
LAG = 3 * SECOND  # for which a list of the provider does not show what was just done


class Profile(NamedTuple):
    """What a tool promises: whether it dedupes, and for how many microseconds."""

    dedupes: bool
    ttl: int = 0


class Request(NamedTuple):
    """What is sent. `place` tells which run, cell, attempt and token sent it."""

    tool: str
    tenant: str
    key: str
    body: str
    place: str


class Act(NamedTuple):
    """What was done, in the ledger. `at` is the world's time."""

    number: int
    at: int
    request: Request

    @property
    def reference(self) -> str:
        """The provider's own name for it."""
        return f"act_{self.number}"


class Answer(NamedTuple):
    """What a sender learns: `word` is done, refused, declined or unknown; `act` comes with done."""

    word: str
    act: Act | None = None
    retryable: bool = True


class Provider:
    """All tools of a world. `judge` is told of each act as it is done."""

    def __init__(
        self, machine: Machine, faults: Faults, profiles: dict[str, Profile], judge: Callable[[Act], None]
    ) -> None:
        self._machine = machine
        self._faults = faults
        self._profiles = profiles
        self._judge = judge
        self._broken: set[tuple[str, str, str]] = set()
        self.acts: list[Act] = []
        self.flying: Counter[tuple[str, str]] = Counter()

    def done(self, tenant: str, key: str) -> Act | None:
        """The first act under a key."""
        return next((act for act in self.acts if (act.request.tenant, act.request.key) == (tenant, key)), None)

    def ask(self, tenant: str, key: str) -> Answer:
        """What the provider's list shows under a key; called by a fiber."""
        self._machine.sleep(self._machine.rng.randrange(500, 30_000))
        if self._faults.strikes("list unreadable", 0.2):
            return Answer("unknown")
        act = self.done(tenant, key)
        if act is not None and self._machine.now - act.at >= LAG:
            return Answer("done", act)
        return Answer("nothing" if act is None or self._faults.on else "done", act)

    def send(self, request: Request) -> Answer:
        """Send and wait for the answer; called by a fiber."""
        strikes, rng = self._faults.strikes, self._machine.rng
        if strikes("request refused", 0.15):
            return Answer("refused")
        if strikes("request declined", 0.1):
            return Answer("declined", retryable=rng.random() < 0.7)
        flight = _Flight(self._machine.current)
        self._machine.note("send", request)
        lost = strikes("request lost", 0.1)
        if not lost:
            slow = strikes("request slow", 0.1)
            travel = int(LONGEST * rng.random()) if slow else rng.randrange(500, 30_000)
            self.flying[request.tenant, request.key] += 1
            self._machine.after(travel, lambda: self._arrive(request, flight))
        until = self._machine.now + PATIENCE
        while flight.answer is None and self._machine.now < until:
            self._machine.sleep(until - self._machine.now)
        flight.sender = None
        return flight.answer or Answer("unknown")

    def _arrive(self, request: Request, flight: _Flight) -> None:
        self.flying[request.tenant, request.key] -= 1
        answer = self._act(request)
        if answer.word == "done" and self._faults.strikes("answer lost", 0.15):
            return
        self._machine.after(self._machine.rng.randrange(200, 20_000), lambda: flight.land(self._machine, answer))

    def _act(self, request: Request) -> Answer:
        name = (request.tool, request.tenant, request.key)
        profile = self._profiles[request.tool]
        if (
            name in self._broken and self._faults.on
        ):  # it expires in the end; without that, asking and sending never ends
            return Answer("unknown")
        if profile.dedupes:
            known = [act for act in self.acts if (act.request.tool, act.request.tenant, act.request.key) == name]
            if known and self._machine.now - known[-1].at < profile.ttl:
                return Answer("done", known[-1])
        if self._faults.strikes("error before acting", 0.1):
            if profile.dedupes and self._faults.strikes("error kept", 0.3):
                self._broken.add(name)
            return Answer("unknown")
        act = Act(len(self.acts) + 1, self._machine.now, request)
        self.acts.append(act)
        self._judge(act)
        return Answer("done", act)


class _Flight:
    """One request under way, and who waits for its answer."""

    def __init__(self, sender: Fiber | None) -> None:
        self.sender = sender
        self.answer: Answer | None = None

    def land(self, machine: Machine, answer: Answer) -> None:
        """The answer is there."""
        if self.sender is not None and not self.sender.process.is_dead:
            self.answer = answer
            machine.wake(self.sender)
