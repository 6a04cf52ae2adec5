"""A checked node as a node of the graph."""

from __future__ import annotations

from typing import Any

from nexum.compiler.annotations import plain
from nexum.compiler.binding import Bound
from nexum.compiler.checked import Checked
from nexum.compiler.fingerprint import fingerprint
from nexum.compiler.reads import reads
from nexum.compiler.sources import definition
from nexum.core.expr.spell import spell
from nexum.core.expr.syntax import Expr
from nexum.core.graph.nodes import Compensation, Compute, Effect, Handler, Llm, Param, Read, Reconciliation, Transaction
from nexum.core.graph.workflow import AnyNode


def node_of(node: Checked) -> AnyNode:
    """The graph's node; only for a node without errors."""
    declared = node.declared
    shared: dict[str, Any] = {
        "id": declared.id,
        "handler": _handler(node),
        "params": tuple(_param(node, param) for param in node.signature.params),
        "output": node.signature.schema,
        "when": _text(node.when),
        "after": declared.after,
        "retry": declared.retry,
        "timeouts": declared.timeouts,
        "priority": declared.priority,
    }
    match declared.kind:
        case "compute":
            return Compute(**shared)
        case "read":
            return Read(**shared, breaker=declared.breaker)
        case "transaction":
            return Transaction(**shared)
        case "effect":
            return Effect(
                **shared,
                tool=declared.tool,
                key=_text(node.key),
                doubt=declared.doubt,
                reference=declared.reference,
                reconcile=reconciliation_of(node),
                breaker=declared.breaker,
                io=bool(node.signature.means),
                compensate=_compensation(node.undo) if node.undo is not None else None,
                pivot=declared.pivot,
            )
        case "llm":
            return Llm(
                **shared,
                models=declared.models,
                repair=declared.repair,
                accept=_text(node.accept),
                settings=dict(declared.settings),
                breaker=declared.breaker,
            )
    raise AssertionError(f"no node of kind {declared.kind!r} can be declared")


def reconciliation_of(node: Checked) -> Reconciliation | None:
    """How the provider of an effect is asked, as the graph says it."""
    how, asking = node.declared.reconcile, node.asking
    if how is None or asking is None:
        return None
    found = {
        "handler": Handler(ref=_ref(asking), fingerprint=fingerprint(how.handler)),
        "params": tuple(_param(asking, param) for param in asking.signature.params),
    }
    return how.terms.model_copy(update=found)


def _compensation(undo: Checked) -> Compensation:
    declared = undo.declared
    return Compensation(
        handler=_handler(undo),
        params=tuple(_param(undo, param) for param in undo.signature.params),
        output=undo.signature.schema,
        tool=declared.tool,
        doubt=declared.doubt,
        reconcile=reconciliation_of(undo),
        reference=declared.reference,
        retry=declared.retry,
        timeouts=declared.timeouts,
    )


def _handler(node: Checked) -> Handler:
    declared = node.declared
    return Handler(ref=_ref(node), fingerprint=fingerprint(declared.handler, declared.place.line))


def _param(node: Checked, param: Bound) -> Param:
    found = definition(node.declared.handler)
    return Param(
        name=param.name,
        source=param.source,
        required=param.required,
        reads=reads(found.node, param.name, param.kind) if found is not None else None,
        accepts=param.schema,
    )


def _ref(node: Checked) -> str:
    function = plain(node.declared.handler)
    return f"{function.__module__}:{function.__qualname__}"


def _text(expr: Expr | None) -> str:
    return spell(expr) if expr is not None else ""
