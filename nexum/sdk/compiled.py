"""A version of a workflow together with the code that executes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from nexum.compiler.build import Compiled
from nexum.compiler.handlers import BoundHandler, spell
from nexum.core.canonical import Json, NotCanonicalError, from_bytes
from nexum.core.graph.workflow import Graph
from nexum.errors import Diagnostic, InputError, Problem

if TYPE_CHECKING:  # the client brings the store's libraries along; building and executing need neither
    from nexum.broker.doorbell import Doorbell
    from nexum.store.api import Started, Store

In = TypeVar("In")


class CompiledWorkflow(Generic[In]):
    """What `build()` gives: a graph, its version, and the handlers behind its nodes. It never changes.

    `graph` is the data, `handlers` the code by node id, `input` validates a run's input, `warnings` are the findings of
    the build that are no errors, `label` is for people.
    """

    def __init__(self, compiled: Compiled, label: str = "") -> None:
        self.graph: Graph = compiled.graph
        self.handlers: dict[str, BoundHandler] = dict(compiled.handlers)
        self.input: TypeAdapter[In] = compiled.input
        self.warnings: tuple[Diagnostic, ...] = compiled.warnings
        self.label = label

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.graph.workflow

    @property
    def version(self) -> str:
        """`sha256:` of the canonical form of the graph."""
        return self.graph.version

    def start(
        self,
        input: In,  # noqa: A002 (the word of the domain)
        *,
        store: Store,
        run_key: str = "",
        subject: str = "",
        tenant: str = "default",
        priority: int = 0,
        trace: str = "",
        actor: str = "",
        doorbell: Doorbell | None = None,
    ) -> Started:
        """Start a run, or find the one that `run_key` names; joins the transaction that `store` was opened on.

        `subject` is what the run is about, for people; `priority` is -9 to 9, lower runs first; `trace` is a W3C
        traceparent, `actor` who starts it. Raises `InputError` when the input does not fit, `ConflictError` when the key
        was used with another input, `NexumError` NX-D201 when no version is registered.
        """
        from nexum.client.start import StartRequest, start

        value = self.input_json(input)
        request = StartRequest(self.name, value, run_key, subject, tenant, trace, actor, priority)
        return start(store, request, doorbell=doorbell)

    def input_json(self, value: In) -> Json:
        """An input as the JSON value that is sent: checked, under its JSON names. Raises `InputError`."""
        try:
            return from_bytes(spell(self.input, value))
        except ValidationError as error:
            found = tuple(
                Problem(".".join(map(str, line["loc"])) or "$", repr(line["input"])[:200], line["msg"])
                for line in error.errors()
            )
            listed = "; ".join(f"{problem.path}: {problem.wanted}" for problem in found[:5])
            raise InputError(f"the input does not fit {self.name}: {listed}", problems=found) from error
        except NotCanonicalError as error:
            raise InputError(f"the input of {self.name} cannot be stored: {error}", code="NX-R102") from error

    def __repr__(self) -> str:
        return f"<{self.name} {self.version[:15]}>"
