"""Handlers that act through journaled calls: each plays the script that its node names, always from the beginning.

A script is the same in every attempt, as it has to be; only a *changed* handler asks for something else under a name that it
has used before, and must not be let through. A handler may swallow what a call raises, and go on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from nexum.core.graph.workflow import AnyNode
from nexum.engine.calls import Journal
from nexum.engine.work import Outcome, Succeeded, Work
from nexum.errors import HandlerError, NonRetryable, NotSent, RetryAfter
from nexum.sdk.io import IO
from nexum.sdk.policies import Dedupes
from nexum.testing.sim.faults import Fate, Faults
from nexum.testing.sim.machine import Machine
from nexum.testing.sim.monitor import Monitor
from nexum.testing.sim.provider import Profile, Provider, Request
from nexum_workers.acting import end_of, io_of
from nexum_workers.outcome import failure

SWALLOWED = (HandlerError, TimeoutError)  # by a handler that goes on whatever happens


class Step(NamedTuple):
    """One call of a script. `tool` is "" where it only asks; `declared`: the provider's promise goes along."""

    tool: str
    declared: bool = False
    named: bool = False
    swallowed: bool = False

    def spell(self) -> str:
        """As it stands in a handler's reference."""
        return f"{self.tool}{'!' * self.declared}{'#' * self.named}{'?' * self.swallowed}"


def script(rng: random.Random, tools: dict[str, Profile]) -> str:
    """One to three calls."""
    steps = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        tool = rng.choice(["", *tools])
        declared = bool(tool) and tools[tool].dedupes and rng.random() < 0.85
        steps.append(Step(tool, declared, rng.random() < 0.5, rng.random() < 0.2).spell())
    return ",".join(steps)


def steps_of(node: AnyNode) -> list[Step]:
    """The script of a node's handler."""
    written = node.handler.ref.rpartition(":")[2].split(",")
    return [Step(step.rstrip("!#?"), "!" in step, "#" in step, "?" in step) for step in written]


class Calling:
    """Plays scripts. What a call is for, and what it gave, is told to the monitor."""

    def __init__(
        self,
        machine: Machine,
        faults: Faults,
        provider: Provider,
        tools: dict[str, Profile],
        monitor: Monitor,
        harm: Callable[[Fate], None],
    ) -> None:
        self._harm = harm
        self._machine = machine
        self._faults = faults
        self._provider = provider
        self._tools = tools
        self._monitor = monitor

    def execute(self, work: Work, journal: Journal, value: bytes) -> Outcome:
        """One attempt, which gives `value` when its calls let it."""
        io = io_of(work, journal, max_payload=0)
        again = work.attempt > 1 or work.deliveries > 1
        body = "changed" if again and self._faults.strikes("handler changed", 0.4) else "the same"
        failed: Exception | None = None
        try:
            for place, step in enumerate(steps_of(work.node)):
                with suppress(*SWALLOWED if step.swallowed else ()):
                    self._play(work, io, place, step, body)
        except Exception as error:  # noqa: BLE001 (as a worker, who takes whatever a handler raises)
            failed = error
        io.close()
        said = end_of(io, failed, lambda error, policy: failure(error, work.node, policy=policy))
        return said or Succeeded(value, asked=io.asked)

    def _play(self, work: Work, io: IO, place: int, step: Step, body: str) -> None:
        name = f"step{place}" if step.named else ""
        if not step.tool:
            seen: object = io.read(self._asked, place, name=name)
        else:
            ttl = timedelta(microseconds=self._tools[step.tool].ttl)
            provider = Dedupes(ttl=ttl) if step.declared else None
            sender = _Sender(self._provider, self._monitor, step.tool, work, self._maybe_die)
            seen = io.call(sender.send, f"{body} {place}", name=name, provider=provider, reference="ref")
        self._monitor.journals.saw(work, place, seen)

    def _maybe_die(self) -> None:
        """Between an answer and its record is where a death, or a long sleep, hurts most."""
        if self._faults.strikes("killed in a call", 0.1):
            self._harm(Fate.KILLED_BEFORE)
        if self._faults.strikes("stopped in a call", 0.1):
            self._harm(Fate.STOPPED)

    def _asked(self, place: int) -> int:
        """Something that is different whenever it is asked."""
        self._machine.sleep(self._machine.rng.randrange(500, 30_000))
        return self._machine.now


class _Sender:
    """What a call calls."""

    def __init__(self, provider: Provider, monitor: Monitor, tool: str, work: Work, then: Callable[[], None]) -> None:
        self._provider, self._monitor, self._tool, self._work, self._then = provider, monitor, tool, work, then

    def send(self, body: str, *, idempotency_key: str) -> dict[str, str]:
        """Send, and give what the provider says."""
        task = self._work.task
        place = f"{task.run_id}/{task.path}#{task.attempt}@{self._work.token}"
        request = Request(self._tool, self._work.tenant, idempotency_key, body, place)
        self._monitor.journals.sends(request)
        answer = self._provider.send(request)
        self._then()
        if answer.act is not None:
            return {"ref": answer.act.reference}
        if answer.word == "unknown":
            raise TimeoutError("nobody knows")
        if answer.word == "refused":
            raise NotSent("nobody is there")
        raise RetryAfter(1, "declined") if answer.retryable else NonRetryable("declined")
