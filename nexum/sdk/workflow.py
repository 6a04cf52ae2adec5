"""`Workflow`: the builder, and its decorators."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from nexum.compiler.build import compile_workflow
from nexum.compiler.declared import Declared, Draft, Place, here
from nexum.compiler.references import Reference
from nexum.core.expr.build import ref
from nexum.core.graph.nodes import INPUT
from nexum.errors.misfits import got
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.handles import Handle
from nexum.sdk.marks import MARKS
from nexum.sdk.options import Author, EffectOptions, LlmOptions, NodeOptions, ReadOptions, declared, named
from nexum.sdk.prompt import Prompt

P = ParamSpec("P")
In = TypeVar("In")
Out = TypeVar("Out")


class Decorate(Protocol):
    """Turns a handler into a node; an `async def` gives the type that it returns once awaited."""

    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, Out]], /
    ) -> Handle[P, Coroutine[Any, Any, Out], Out]: ...
    @overload
    def __call__(self, handler: Callable[P, Out], /) -> Handle[P, Out, Out]: ...


class DecoratePrompt(Protocol):
    """Turns a handler that returns a prompt into an llm node, whose output is the model's answer."""

    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, Prompt[Out]]], /
    ) -> Handle[P, Coroutine[Any, Any, Prompt[Out]], Out]: ...
    @overload
    def __call__(self, handler: Callable[P, Prompt[Out]], /) -> Handle[P, Prompt[Out], Out]: ...


class Workflow(Generic[In]):
    """A workflow under construction.

    `name` is how runs, queues and URLs know it; `input` is the type of a run's input, usually a Pydantic model; `label`
    is shown to people and is no part of the version. Nodes are declared by the decorators, in an order in which every
    node comes after those that it reads; `build()` checks everything and gives the version.
    """

    def __init__(self, name: str, *, input: type[In], label: str = "") -> None:  # noqa: A002 (the word of the domain)
        self.name = named(name)
        self.label = label
        self._input: Any = input
        self._place = here(1)
        self._nodes: list[Declared] = []

    @property
    def input(self) -> In:
        """The run's input, for conditions and keys: `agent.input.amount < 5000`."""
        return cast("In", Reference(ref(INPUT), self._input, frozenset({self.name})))

    def compute(self, **options: Unpack[NodeOptions]) -> Decorate:
        """Declare a pure function: the same inputs give the same output. It may run again after a crash."""
        return self._decorator("compute", here(1), options)

    def read(self, **options: Unpack[ReadOptions]) -> Decorate:
        """Declare a function that asks the outside world and changes nothing. It may run again; recorded once."""
        return self._decorator("read", here(1), options)

    def transaction(self, **options: Unpack[NodeOptions]) -> Decorate:
        """Declare a function that writes to the engine's own database: its writes and its completion are one commit.

        It writes through Django's ORM on the alias of Nexum's tables, or through the connection of a parameter annotated
        `Tx`. It is rolled back whole when it raises, and may run again then; it must be a plain `def`.
        """
        return self._decorator("transaction", here(1), options)

    def effect(self, **options: Unpack[EffectOptions]) -> Decorate:
        """Declare a function that changes the outside world under an idempotency key (`ctx.idempotency_key`)."""
        return self._decorator("effect", here(1), options)

    def llm(self, **options: Unpack[LlmOptions]) -> DecoratePrompt:
        """Declare a request to a language model; the handler returns the prompt as `Prompt[Answer]`."""
        return cast("DecoratePrompt", self._decorator("llm", here(1), options))

    def add(self, node: Declared) -> None:
        """Add a node as the compiler reads it; both faces of the builder end here."""
        self._nodes.append(node)

    def build(self) -> CompiledWorkflow[In]:
        """Check everything and give the version. Raises `BuildError` with every finding, not only the first."""
        wrong = () if isinstance(self.label, str) else (f"`label=` is {got(self.label)}, not a text",)
        draft = Draft(self.name, self._input, self._place, tuple(self._nodes), wrong)
        return CompiledWorkflow(compile_workflow(draft, MARKS), self.label)

    def __repr__(self) -> str:
        return f"<workflow {self.name}: {', '.join(node.id for node in self._nodes) or 'no nodes yet'}>"

    def _decorator(self, kind: str, place: Place, options: Mapping[str, Any]) -> Decorate:
        def declare(handler: Callable[..., Any], /) -> Handle[..., Any, Any]:
            name = getattr(handler, "__name__", type(handler).__name__)
            node = declared(kind, name, handler, Author(self.name, place), options)
            self.add(node)
            return Handle(self.name, node)

        return cast("Decorate", declare)
