"""How an effect is undone, checked: what the undo takes, and where a workflow can no longer go back.

An undo is called long after its effect, when other nodes may be undone already. So it may only take what was recorded for
that very effect: what the effect read, and what it gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nexum.compiler.binding import Marks, Scope, Signature, bind
from nexum.compiler.checked import Checked
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import finding
from nexum.compiler.fingerprint import why_not
from nexum.compiler.options import check_options, check_reference
from nexum.compiler.reconciling import check_reconcile
from nexum.compiler.sources import handler_span, line_span, option_span, parameter_span
from nexum.compiler.subsume import check_accepts
from nexum.core.graph.nodes import INPUT, Schema
from nexum.errors import Diagnostic


def check_undo(
    effect: Declared,
    signature: Signature,
    schemas: Mapping[str, Schema],
    kinds: Mapping[str, Any],
    marks: Marks,
    problems: list[Diagnostic],
) -> Checked | None:
    """The undo of an effect, bound; None when it has none. `schemas` and `kinds` hold the sources of the effect's parameters."""
    undo = effect.compensate
    if undo is None:
        return None
    if effect.pivot:
        message = f"`{effect.id}` is a pivot, so it is never undone, and says how"
        problems.append(finding("NX-B164", message, option_span(effect, "pivot")))
    read = {param.source for param in signature.params}
    known = {**{name: kinds[name] for name in sorted(read - {INPUT})}, effect.id: signature.output}
    scope = Scope(kinds[INPUT], known, frozenset(), marks, deed=effect.id, has_input=INPUT in read)
    problems.extend(check_options(undo))
    bound = bind(undo, scope, problems)
    given = {**{name: schemas[name] for name in read}, effect.id: signature.schema}
    problems.extend(check_accepts(undo, bound, given, {**kinds, effect.id: signature.output}))
    problems.extend(check_reference(undo, bound.schema))
    problems.extend(_missing(undo, bound, effect, signature))
    reason = why_not(undo.handler)
    if reason:
        message = f"the code of `{undo.id}` cannot be fingerprinted: {reason}"
        problems.append(finding("NX-B125", message, handler_span(undo)))
    return Checked(undo, bound, asking=check_reconcile(undo, bound, scope, given, problems))


def _missing(undo: Declared, bound: Signature, effect: Declared, signature: Signature) -> Iterator[Diagnostic]:
    """What the effect may have done without, and its undo needs."""
    doubtful = {param.source for param in signature.params if not param.required}
    for param in bound.params:
        if param.required and param.source == effect.id and signature.means:
            message = f"`{undo.id}` needs `{param.source}`, which may end without a result after some of its calls"
            fixes = (f"take it with or without: `{param.name}: ... | None`; `ctx.calls` holds what the calls returned",)
            yield finding("NX-B162", message, parameter_span(undo, param.name), fixes=fixes)
        elif param.required and param.source in doubtful:
            message = f"`{undo.id}` needs `{param.source}`, which `{effect.id}` takes with or without"
            fixes = (f"take it with or without: `{param.name}: ... | None`",)
            yield finding("NX-B162", message, parameter_span(undo, param.name), fixes=fixes)


def points_of_no_return(nodes: Sequence[Checked]) -> Iterator[Diagnostic]:
    """A finding for each effect that cannot be undone, comes after one that can, and is not marked as a pivot."""
    above: dict[str, set[str]] = {}
    undone = {node.id for node in nodes if node.declared.compensate is not None}
    for node in nodes:
        found = above[node.id] = set().union(*({dep} | above.get(dep, set()) for dep in node.deps))
        declared = node.declared
        before = sorted(found & undone)
        if declared.kind == "effect" and before and declared.compensate is None and not declared.pivot:
            message = f"effect `{node.id}` cannot be undone, and comes after `{before[0]}`, which can"
            fixes = (
                "say how it is undone: `compensate=`",
                f"or that {', '.join(f'`{name}`' for name in before)} stays once it is done: `pivot=True`",
            )
            yield finding("NX-B163", message, line_span(declared.place), fixes=fixes)
