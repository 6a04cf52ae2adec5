"""The whole graph of one workflow version, its canonical form and its hash."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from pydantic import Field

from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.graph.nodes import INPUT, Compute, Effect, Llm, Node, Read, Schema, Transaction
from nexum.core.graph.policies import Doubt, Frozen
from nexum.core.ids import queue_name

PREIMAGE = b"nexum-ir/1\n"

AnyNode = Compute | Read | Transaction | Effect | Llm


class Graph(Frozen):
    """A compiled workflow. `nodes` stand in graph order, a topological order by declaration; ties break by it.

    `result` lists the nodes whose outputs are the run's result: one node gives its output, several an object by id.
    """

    workflow: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
    input: Schema
    nodes: tuple[Node, ...] = Field(min_length=1)
    result: tuple[str, ...]
    ir_version: int = 1

    @cached_property
    def data(self) -> bytes:
        """The canonical bytes; absent and default-valued fields are left out."""
        return canonical_bytes(_spell(self))

    @cached_property
    def version(self) -> str:
        """`sha256:` of the canonical bytes after the preimage line."""
        return "sha256:" + hashlib.sha256(PREIMAGE + self.data).hexdigest()

    @cached_property
    def queue(self) -> str:
        """The queue of this version."""
        return queue_name(self.workflow, self.version)

    @cached_property
    def by_id(self) -> dict[str, AnyNode]:
        """The nodes by their id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def order(self) -> dict[str, int]:
        """The place of each node in graph order."""
        return {node.id: place for place, node in enumerate(self.nodes)}

    def __getitem__(self, node_id: str) -> AnyNode:
        return self.by_id[node_id]


def _spell(graph: Graph) -> dict[str, Any]:
    """The JSON of a graph without defaults, discriminators (`kind`, `policy`) kept."""
    spelled: dict[str, Any] = graph.model_dump(mode="json", exclude_defaults=True)
    for node, out in zip(graph.nodes, spelled["nodes"], strict=True):
        out["kind"] = node.kind
        if isinstance(node, Effect):
            _name_policy(node.doubt, out)
            if node.compensate is not None:
                _name_policy(node.compensate.doubt, out["compensate"])
    return spelled


def _name_policy(doubt: Doubt, out: dict[str, Any]) -> None:
    if "doubt" in out:
        out["doubt"]["policy"] = doubt.policy


def parse_graph(data: bytes) -> Graph:
    """Read a graph from its canonical bytes. Raises `pydantic.ValidationError` for anything that is not one."""
    return Graph.model_validate(from_bytes(data))


__all__ = ["INPUT", "PREIMAGE", "AnyNode", "Graph", "parse_graph"]
