"""What an author may ask for around a node: retries, time limits, doubt."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Micros = Annotated[int, Field(ge=0, description="a duration in microseconds")]

SECOND = 1_000_000
MINUTE = 60 * SECOND


class Frozen(BaseModel):
    """A value: immutable, closed, compared by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64")


class RetryPolicy(Frozen):
    """How often, and how patiently, a node is tried. Waits are in microseconds; `jitter` is a share of the wait.

    `exhausted` is what happens after the last attempt: the node fails, or it is parked until a person decides.
    """

    max_attempts: int = Field(default=3, ge=1, le=1_000_000)
    backoff: Literal["exponential", "linear", "fixed"] = "exponential"
    first_wait: Micros = SECOND
    factor: float = Field(default=2.0, ge=1.0, le=100.0)
    ceiling: Micros = 5 * MINUTE
    jitter: float = Field(default=0.1, ge=0.0, le=1.0)
    retry_on: tuple[str, ...] = ()
    never_on: tuple[str, ...] = ()
    exhausted: Literal["fail", "park"] = "fail"


class TimeoutPolicy(Frozen):
    """The four time limits of a node, in microseconds; 0 means none."""

    schedule_to_start: Micros = 0
    start_to_close: Micros = 10 * MINUTE
    schedule_to_close: Micros = 0
    heartbeat: Micros = 0


class BreakerPolicy(Frozen):
    """When a tool that fails is no longer asked: after `failures` within `within`, for `open_for`, then by `probes` at once.

    Times are microseconds. Nodes whose breakers have one name share it; "" is the name of what the node touches.
    """

    name: str = ""
    failures: int = Field(default=5, ge=1, le=1_000)
    within: Micros = Field(default=MINUTE, gt=0)
    open_for: Micros = Field(default=30 * SECOND, gt=0)
    probes: int = Field(default=1, ge=1, le=100)


class Dedupes(Frozen):
    """The provider honours idempotency keys for `ttl` microseconds: within that time the same key may be sent again.

    `stored_errors`: it stores an answer of 500 and above under the key too, so that sending again only repeats it.
    `not_executed` are the HTTP statuses with which it proves that it has done nothing.
    """

    policy: Literal["dedupes"] = "dedupes"
    ttl: Micros = Field(gt=0)
    stored_errors: bool = False
    not_executed: tuple[Annotated[int, Field(ge=100, le=599)], ...] = ()


class Hold(Frozen):
    """Nobody but a person may resolve doubt."""

    policy: Literal["hold"] = "hold"


Doubt = Annotated[Dedupes | Hold, Field(discriminator="policy")]
