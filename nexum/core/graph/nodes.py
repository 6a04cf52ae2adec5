"""One frozen model per kind of node."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from nexum.core.canonical import Json
from nexum.core.graph.policies import MINUTE, BreakerPolicy, Doubt, Frozen, Hold, Micros, RetryPolicy, TimeoutPolicy

Schema = dict[str, Any]  # a JSON Schema as Pydantic writes it

INPUT = "input"  # the name of the workflow's own input among the sources


class Handler(Frozen):
    """Which code executes a node: `module:qualname`, and the fingerprint of that code (empty: cannot tell)."""

    ref: str
    fingerprint: str = ""


class Param(Frozen):
    """One parameter of a handler: where its value comes from, and which fields of it the handler reads.

    `source` is a node id or `input`. `required=False` means the annotation accepts None: the node runs with or without
    the source. `reads` lists field paths such as `amount`; `None` means that the parameter escapes and all may be read.
    """

    name: str
    source: str
    required: bool = True
    reads: tuple[str, ...] | None = None
    accepts: Schema = Field(default_factory=dict)


class _Node(Frozen):
    id: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
    handler: Handler
    params: tuple[Param, ...] = ()
    output: Schema
    when: str = ""
    after: tuple[str, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()
    priority: int = Field(default=0, ge=-9, le=9)


class Compute(_Node):
    """A pure function: may run again, must give the same result."""

    kind: Literal["compute"] = "compute"


class Read(_Node):
    """Asks the outside world and changes nothing: may run again; recorded once it returns."""

    kind: Literal["read"] = "read"
    breaker: BreakerPolicy | None = None


class Transaction(_Node):
    """Writes to the engine's own database only: the writes and the node's completion are one commit. May run again."""

    kind: Literal["transaction"] = "transaction"


class Reconciliation(Frozen):
    """How the provider is asked what became of an effect in doubt.

    The handler's parameters are those of the effect. `settle` is the longest time, in microseconds, for which a request
    may still travel after its sender died: nothing that was not found before it has passed counts. `gap` lies between two
    answers that have to agree.
    """

    handler: Handler
    params: tuple[Param, ...] = ()
    settle: Micros = 15 * MINUTE
    gap: Micros = MINUTE
    retry: RetryPolicy = RetryPolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()


class Compensation(Frozen):
    """How an effect that happened is undone: an effect of its own, with its own key, retries and doubt.

    A parameter's source is one of the sources of the effect, as they were recorded for it, or the effect itself: its output.
    """

    handler: Handler
    params: tuple[Param, ...] = ()
    output: Schema
    tool: str
    doubt: Doubt = Hold()
    reconcile: Reconciliation | None = None
    reference: str = ""
    retry: RetryPolicy = RetryPolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()


class Effect(_Node):
    """Changes the outside world under an idempotency key.

    `key` is the expression of a business key (unique over all runs of a tenant); empty means derived from the cell.
    `reference` is the path of the provider's own reference in the output. `io`: the handler touches the world through
    journaled calls alone, so that it may be run again, and doubt is about a call and never about the node. A `pivot` is a
    point of no return: once it has completed, it and everything above it stays done.
    """

    kind: Literal["effect"] = "effect"
    tool: str
    key: str = ""
    io: bool = False
    doubt: Doubt = Hold()
    reference: str = ""
    reconcile: Reconciliation | None = None
    compensate: Compensation | None = None
    pivot: bool = False
    breaker: BreakerPolicy | None = None

    @cached_property
    def asking(self) -> Read | None:
        """The node of the inner activations `<id>/reconcile.1`, `.2` ...; None when nobody can be asked."""
        how = self.reconcile
        if how is None:
            return None
        return Read.model_construct(
            id=f"{self.id}/reconcile",
            handler=how.handler,
            params=how.params,
            output=self.output,
            retry=how.retry,
            timeouts=how.timeouts,
            priority=self.priority,
        )

    @cached_property
    def undo(self) -> Effect | None:
        """The node of the inner activation `<id>/undo`; None when what was done stays."""
        how = self.compensate
        if how is None:
            return None
        return Effect.model_construct(
            id=f"{self.id}/undo",
            handler=how.handler,
            params=how.params,
            output=how.output,
            retry=how.retry,
            timeouts=how.timeouts,
            priority=self.priority,
            tool=how.tool,
            doubt=how.doubt,
            reconcile=how.reconcile,
            reference=how.reference,
        )

    @cached_property
    def call(self) -> Effect | None:
        """What stands for the inner activations `<id>/io.<name>`, whose output is any JSON; None when it makes none."""
        if not self.io:
            return None
        return Effect.model_construct(id=f"{self.id}/io", handler=self.handler, output={}, tool=self.tool)

    def reference_in(self, output: Json) -> str:
        """The provider's own reference where the node says that it stands; "" when it says nothing or nothing is there."""
        value = output if self.reference else None
        for name in self.reference.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return "" if value is None else str(value)


class Llm(_Node):
    """A model request. The handler returns the prompt; `output` is what the model's answer must fit.

    `models` are tried in order. `repair` bounds the rounds that show the model its own invalid answer. `accept` is a
    condition over the output; an answer that fails it counts as invalid.
    """

    kind: Literal["llm"] = "llm"
    models: tuple[str, ...] = Field(min_length=1)
    repair: int = Field(default=2, ge=0, le=20)
    accept: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    breaker: BreakerPolicy | None = None


Node = Annotated[Compute | Read | Transaction | Effect | Llm, Field(discriminator="kind")]
