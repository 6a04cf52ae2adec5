"""The fluent face of the builder: `workflow("Research", input=Topic).read("search", search).compute("rank", rank).build()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar, Unpack

from nexum.compiler.declared import Place, here
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.options import Author, EffectOptions, LlmOptions, NodeOptions, ReadOptions, declared
from nexum.sdk.workflow import Workflow

In = TypeVar("In")
Handler = Callable[..., Any]


class Fluent(Generic[In]):
    """A workflow under construction, one call per node; the node's name comes first, conditions are text.

    Every method means what the decorator of the same name on `Workflow` means, and takes the same options.
    """

    def __init__(self, workflow: Workflow[In]) -> None:
        self._workflow = workflow

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._workflow.name

    def compute(self, name: str, handler: Handler, **options: Unpack[NodeOptions]) -> Self:
        """Add a pure function."""
        return self._add("compute", name, handler, here(1), options)

    def read(self, name: str, handler: Handler, **options: Unpack[ReadOptions]) -> Self:
        """Add a function that asks the outside world and changes nothing."""
        return self._add("read", name, handler, here(1), options)

    def transaction(self, name: str, handler: Handler, **options: Unpack[NodeOptions]) -> Self:
        """Add a function that writes to the engine's own database, in one commit with its completion."""
        return self._add("transaction", name, handler, here(1), options)

    def effect(self, name: str, handler: Handler, **options: Unpack[EffectOptions]) -> Self:
        """Add a function that changes the outside world under an idempotency key."""
        return self._add("effect", name, handler, here(1), options)

    def llm(self, name: str, handler: Handler, **options: Unpack[LlmOptions]) -> Self:
        """Add a request to a language model; the handler returns `Prompt[Answer]`."""
        return self._add("llm", name, handler, here(1), options)

    def build(self) -> CompiledWorkflow[In]:
        """Check everything and give the version. Raises `BuildError` with every finding, not only the first."""
        return self._workflow.build()

    def __repr__(self) -> str:
        return repr(self._workflow)

    def _add(self, kind: str, name: str, handler: Handler, place: Place, options: Mapping[str, Any]) -> Self:
        self._workflow.add(declared(kind, name, handler, Author(self._workflow.name, place), options))
        return self


def workflow(name: str, *, input: type[In], label: str = "") -> Fluent[In]:  # noqa: A002 (the word of the domain)
    """Begin a workflow in the fluent form; see `Workflow` for the parameters."""
    return Fluent(Workflow(name, input=input, label=label))
