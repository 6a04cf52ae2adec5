"""A node after its checks, and what follows from the edges between nodes: leaves, and who may be skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nexum.compiler.binding import Signature
from nexum.compiler.conditions import roots_of
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import finding
from nexum.compiler.sources import handler_span
from nexum.core.expr.syntax import Expr
from nexum.core.graph.nodes import INPUT
from nexum.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Checked:
    """One node: as declared, its bound signature, its expressions, who asks about it when in doubt, and how it is undone."""

    declared: Declared
    signature: Signature
    when: Expr | None = None
    key: Expr | None = None
    accept: Expr | None = None
    asking: Checked | None = None
    undo: Checked | None = None

    @property
    def id(self) -> str:
        """The node's id."""
        return self.declared.id

    @property
    def needs(self) -> frozenset[str]:
        """The nodes without whose output this one is skipped."""
        return frozenset(p.source for p in self.signature.params if p.required and p.source != INPUT)

    @property
    def deps(self) -> frozenset[str]:
        """The nodes that must be settled before this one."""
        sources = {param.source for param in self.signature.params if param.source != INPUT}
        return frozenset({*sources, *self.declared.after, *roots_of(self.when), *roots_of(self.key)})


def leaves(nodes: Iterable[Checked]) -> tuple[str, ...]:
    """The nodes that no other node waits for, in graph order."""
    known = list(nodes)
    awaited = {dep for node in known for dep in node.deps}
    return tuple(node.id for node in known if node.id not in awaited)


def may_be_skipped(node: Checked, absent: Iterable[str]) -> bool:
    """Whether a node may end without output, given the nodes before it that may."""
    return node.when is not None or bool(node.needs & frozenset(absent))


def skipped_by_others(node: Checked, absent: Iterable[str]) -> Iterator[Diagnostic]:
    """A warning for an effect that has no condition of its own and yet may be skipped, because a source may be."""
    lost = sorted(node.needs & frozenset(absent))
    if node.declared.kind == "effect" and node.when is None and lost:
        names = ", ".join(f"`{name}`" for name in lost)
        message = f"effect `{node.id}` is skipped whenever {names} {'is' if len(lost) == 1 else 'are'} skipped"
        fixes = (
            f"if that is meant, say so: `when=has({lost[0]}.out)`",
            f"if not, take it with or without: `{lost[0]}: ... | None`",
        )
        yield finding("NX-B131", message, handler_span(node.declared), fixes=fixes)
