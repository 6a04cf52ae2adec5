"""Names of workflows and nodes: well formed, not reserved, not used twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nexum.compiler.declared import Declared, Draft
from nexum.compiler.diagnostics import did_you_mean, finding
from nexum.compiler.sources import handler_span, line_span, option_span
from nexum.core.expr.syntax import FUNCTIONS, NOT_NAMES
from nexum.errors import Diagnostic

RESERVED = frozenset({"input", "run", "item"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


def check_names(draft: Draft) -> Iterator[Diagnostic]:
    """Findings about the names of a workflow and its nodes, and about `after=`."""
    if not _NAME.match(draft.workflow):
        yield finding("NX-B111", f"`{draft.workflow}` cannot name a workflow", line_span(draft.place))
    if not draft.nodes:
        yield finding("NX-B127", f"`{draft.workflow}` has no nodes", line_span(draft.place))
    seen: dict[str, Declared] = {}
    for node in draft.nodes:
        if not _NAME.match(node.id):
            yield finding("NX-B111", f"`{node.id}` cannot name a node", handler_span(node))
        elif node.id in RESERVED or node.id in NOT_NAMES or node.id in FUNCTIONS:
            yield finding("NX-B111", f"`{node.id}` is reserved and cannot name a node", handler_span(node))
        if node.id in seen:
            first = handler_span(seen[node.id])
            message = f"node `{node.id}` is declared twice; first at line {first.line}"
            yield finding("NX-B110", message, handler_span(node))
        yield from _check_after(node, seen, draft)
        seen.setdefault(node.id, node)


def _check_after(node: Declared, before: dict[str, Declared], draft: Draft) -> Iterator[Diagnostic]:
    for name in node.after:
        at = option_span(node, "after")
        if name in before:
            continue
        if name == node.id or any(name == other.id for other in draft.nodes):
            yield finding("NX-B102", f"`after=` of `{node.id}` names `{name}`, which is not declared before it", at)
        else:
            message = f"`after=` of `{node.id}` names `{name}`, which is no node{did_you_mean(name, before)}"
            yield finding("NX-B101", message, at)
