"""A graph made ready for deciding: who waits for whom, and conditions compiled once.

Everything here is derived from the graph alone and kept for the life of a version in a process. Deciding then costs in
proportion to what changed, not to the size of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nexum.core.expr.evaluate import compile_expr
from nexum.core.expr.parse import parse
from nexum.core.expr.syntax import refs
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import AnyNode, Graph

RUN_ROOT = "run"  # conditions may read run.id, run.key and run.tenant

Compiled = Callable[[Mapping[str, object]], object]


@dataclass(frozen=True, slots=True)
class Step:
    """One node with what deciding needs of it.

    `deps` are the nodes that must be settled first. `roots` are the names that its condition and key expression read.
    """

    node: AnyNode
    deps: tuple[str, ...]
    roots: tuple[str, ...]
    when: Compiled | None
    key: Compiled | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph, its steps by node id, and the readers of each node in graph order.

    `looks` tells whether any condition or key reads a payload at all, `asks` whether any provider can be asked about an effect
    in doubt, `calls` whether any effect journals calls.
    """

    graph: Graph
    steps: Mapping[str, Step]
    readers: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    looks: bool
    asks: bool
    calls: bool

    def node_at(self, path: str) -> AnyNode:
        """What is executed at a path: a node of the graph, or what an inner activation of one executes.

        `verdict/repair.1` is the node `verdict` again; `refund/undo`, `refund/reconcile.1` and `refund/io.charge` are nodes that
        the effect `refund` brings along. Raises `KeyError` for a path that the graph does not have.
        """
        name, _, inner = path.partition("/")
        node = self.steps[name].node
        for part in inner.split("/") if inner else ():
            found = _inner(node, part.partition(".")[0])
            if found is None:
                raise KeyError(path)
            node = found
        return node


def _inner(node: AnyNode, name: str) -> AnyNode | None:
    if isinstance(node, Effect):
        return {"undo": node.undo, "reconcile": node.asking, "io": node.call}.get(name)
    return node if name == "repair" else None


def _build(graph: Graph) -> Plan:
    steps = {node.id: _step(graph, node) for node in graph.nodes}
    readers: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for node in graph.nodes:
        for dep in steps[node.id].deps:
            readers[dep].append(node.id)
    return Plan(
        graph=graph,
        steps=steps,
        readers={name: tuple(ids) for name, ids in readers.items()},
        sources=tuple(node.id for node in graph.nodes if not steps[node.id].deps),
        looks=any(step.roots for step in steps.values()),
        asks=any(effect.reconcile is not None for effect in _effects(graph)),
        calls=any(effect.io for effect in _effects(graph)),
    )


def _effects(graph: Graph) -> Iterator[Effect]:
    """The effects of a graph, and what undoes them."""
    for node in graph.nodes:
        if isinstance(node, Effect):
            yield node
            if node.undo is not None:
                yield node.undo


def _step(graph: Graph, node: AnyNode) -> Step:
    when = parse(node.when) if node.when else None
    key = parse(node.key) if isinstance(node, Effect) and node.key else None
    roots = {path[0] for expr in (when, key) if expr is not None for path in refs(expr)}
    named = {param.source for param in node.params} | set(node.after) | roots
    return Step(
        node=node,
        deps=tuple(sorted(named & graph.order.keys(), key=graph.order.__getitem__)),
        roots=tuple(sorted(roots)),
        when=compile_expr(when) if when is not None else None,
        key=compile_expr(key) if key is not None else None,
    )


_KNOWN: dict[int, Plan] = {}


def plan_of(graph: Graph) -> Plan:
    """The plan of a graph; computed once per graph object."""
    found = _KNOWN.get(id(graph))
    if found is None or found.graph is not graph:
        if len(_KNOWN) > 512:
            _KNOWN.clear()
        found = _KNOWN[id(graph)] = _build(graph)
    return found
