"""Retries, time limits, the promise of a provider and how it is asked, as an author writes them: with `timedelta`s and exception classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from nexum.core.graph import policies as graph
from nexum.core.graph.nodes import Handler, Reconciliation

_NEVER = timedelta(0)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and how patiently, a node is tried.

    `first_wait` follows the first failure and grows by `factor` up to `ceiling`; `jitter` is a share of the wait, added
    at random so that runs that failed together do not return together. `retry_on` and `never_on` name exceptions, by
    class or by dotted name: with `retry_on` only those are tried again, those of `never_on` never are. They say nothing of
    what was sent: an effect is only ever tried again when it is known that its request was not sent (`NotSent`, a refused
    connection), or when its `provider` allows to send the same request again. `exhausted="park"` keeps a node whose
    attempts are used up for a person, who retries it, does without it or lets it fail; else it fails by itself.
    """

    max_attempts: int = 3
    backoff: Literal["exponential", "linear", "fixed"] = "exponential"
    first_wait: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    ceiling: timedelta = timedelta(minutes=5)
    jitter: float = 0.1
    retry_on: tuple[type[BaseException] | str, ...] = ()
    never_on: tuple[type[BaseException] | str, ...] = ()
    exhausted: Literal["fail", "park"] = "fail"

    def policy(self) -> graph.RetryPolicy:
        """The same in the terms of the graph. Raises `pydantic.ValidationError` for a value out of range."""
        return graph.RetryPolicy(
            max_attempts=self.max_attempts,
            backoff=self.backoff,
            first_wait=micros(self.first_wait),
            factor=self.factor,
            ceiling=micros(self.ceiling),
            jitter=self.jitter,
            retry_on=tuple(map(error_name, self.retry_on)),
            never_on=tuple(map(error_name, self.never_on)),
            exhausted=self.exhausted,
        )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The four time limits of a node; None means no limit.

    `schedule_to_start`: until a worker takes an attempt. `start_to_close`: one attempt. `schedule_to_close`: all attempts
    and the waits between them. `heartbeat`: between two calls of `ctx.heartbeat()`.
    """

    schedule_to_start: timedelta | None = None
    start_to_close: timedelta | None = timedelta(minutes=10)
    schedule_to_close: timedelta | None = None
    heartbeat: timedelta | None = None

    def policy(self) -> graph.TimeoutPolicy:
        """The same in the terms of the graph. Raises `pydantic.ValidationError` for a negative limit."""
        return graph.TimeoutPolicy(
            schedule_to_start=micros(self.schedule_to_start or _NEVER),
            start_to_close=micros(self.start_to_close or _NEVER),
            schedule_to_close=micros(self.schedule_to_close or _NEVER),
            heartbeat=micros(self.heartbeat or _NEVER),
        )


@dataclass(frozen=True, slots=True)
class Dedupes:
    """The provider honours idempotency keys for `ttl`: in the first four fifths of it the same request may be sent again.

    `stored_errors=True` for a provider that stores an answer of 500 and above under the key too and repeats it, as Stripe's
    first interface does: such an answer is not sent again but asked about, or held. `not_executed` are the HTTP statuses
    with which it proves that it has done nothing, such as `(503,)`: they are tried again as `retry=` says.
    """

    ttl: timedelta
    stored_errors: bool = False
    not_executed: tuple[int, ...] = ()

    def policy(self) -> graph.Dedupes:
        """The same in the terms of the graph. Raises `pydantic.ValidationError` for a ttl or a status out of range."""
        return graph.Dedupes(
            ttl=micros(self.ttl), stored_errors=self.stored_errors, not_executed=tuple(self.not_executed)
        )


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a tool that fails is not asked any more, by any run of any process.

    After `failures` within the time `within` nothing is sent for `open_for`; then `probes` attempts at once may try, and the
    first that succeeds lets everybody go on. Attempts that wait meanwhile cost nothing. What counts is a failure that may
    pass, or an unknown outcome; not `NonRetryable` and `Fail`. Nodes whose breakers have the same `name` share it; without,
    it is the effect's tool, the first model asked, or the node itself.
    """

    failures: int = 5
    within: timedelta = timedelta(minutes=1)
    open_for: timedelta = timedelta(seconds=30)
    probes: int = 1
    name: str = ""

    def policy(self) -> graph.BreakerPolicy:
        """The same in the terms of the graph. Raises `pydantic.ValidationError` for a value out of range."""
        return graph.BreakerPolicy(
            name=self.name,
            failures=self.failures,
            within=micros(self.within),
            open_for=micros(self.open_for),
            probes=self.probes,
        )


@dataclass(frozen=True, slots=True)
class Reconcile:
    """How the provider of an effect is asked what became of a request whose outcome is unknown.

    `ask` takes what the effect takes, by the same names, and a `Context` whose `idempotency_key` is the effect's. It returns
    what the effect would have returned, None when the provider has not seen the key, or raises `CannotTell`. `settle` is the
    longest time for which a request may still travel after its sender is gone: a None counts only after it. `gap` lies
    between the two None that have to agree before the same key is sent again. `retry` and `timeouts` are the asking's own.
    """

    ask: Callable[..., Any]
    settle: timedelta = timedelta(minutes=15)
    gap: timedelta = timedelta(minutes=1)
    retry: Retry = field(default_factory=Retry)
    timeouts: Timeouts = field(default_factory=Timeouts)

    def policy(self) -> Reconciliation:
        """The same in the terms of the graph, but for the function. Raises `pydantic.ValidationError` for a negative time."""
        return Reconciliation(
            handler=Handler(ref=""),
            settle=micros(self.settle),
            gap=micros(self.gap),
            retry=self.retry.policy(),
            timeouts=self.timeouts.policy(),
        )


@dataclass(frozen=True, slots=True)
class Undo:
    """How an effect is undone, where a function alone does not say enough.

    The parameters of `handler` are named like those of the effect, and like the effect itself for its output. `tool` is what
    the undo touches (the effect's tool and `.undo` when it is not said); the rest means what it means for an effect. An undo
    whose attempts are used up is parked for a person, whatever `retry` says. `reconcile` takes what the undo takes.
    """

    handler: Callable[..., Any]
    tool: str = ""
    retry: Retry = field(default_factory=Retry)
    timeouts: Timeouts = field(default_factory=Timeouts)
    provider: Dedupes | None = None
    reconcile: Callable[..., Any] | Reconcile | None = None
    reference: str = ""


def micros(length: timedelta) -> int:
    """A length of time in whole microseconds."""
    return length // timedelta(microseconds=1)


def error_name(error: type[BaseException] | str) -> str:
    """An exception class by its dotted name, as it stands in the graph; builtins without their module."""
    if isinstance(error, str):
        return error
    return error.__qualname__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__qualname__}"
