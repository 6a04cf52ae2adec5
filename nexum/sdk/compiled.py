"""A version of a workflow together with the code that executes it."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import TypeAdapter

from nexum.compiler.build import Compiled
from nexum.compiler.handlers import BoundHandler
from nexum.core.graph.workflow import Graph
from nexum.errors import Diagnostic

In = TypeVar("In")


class CompiledWorkflow(Generic[In]):
    """What `build()` gives: a graph, its version, and the handlers behind its nodes. It never changes."""

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

    def __repr__(self) -> str:
        return f"<{self.name} {self.version[:15]}>"
