"""Conditions and keys: read, resolved against the names of the workflow, and checked against the schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import did_you_mean, finding
from nexum.compiler.references import Reference, expression_of, owners_of
from nexum.compiler.sources import Span, option_span
from nexum.core.expr.parse import parse
from nexum.core.expr.syntax import Expr, ExprError, refs
from nexum.core.graph.nodes import INPUT, Schema
from nexum.errors import Diagnostic

RUN = "run"
RUN_SCHEMA: Schema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "key": {"type": "string"}, "tenant": {"type": "string"}},
    "required": ["id", "key", "tenant"],
}


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression of one node may name.

    `schemas` are the roots with a value, `absent` those of them that may be skipped, `later` nodes declared afterwards.
    """

    workflow: str
    schemas: dict[str, Schema]
    absent: frozenset[str]
    later: frozenset[str]


def read(declared: Declared, option: str, value: object, names: Names, problems: list[Diagnostic]) -> Expr | None:
    """The expression of an option; None when there is none, or when it cannot be read (then `problems` says why)."""
    if value is None or (isinstance(value, str) and not value):
        return None
    at = option_span(declared, option)
    expr = _tree(declared, option, value, names, at, problems)
    if expr is None:
        return None
    unknown = list(_unknown(declared, option, expr, names, at))
    problems.extend(unknown)
    return None if unknown else expr


def _tree(
    declared: Declared, option: str, value: object, names: Names, at: Span, problems: list[Diagnostic]
) -> Expr | None:
    if isinstance(value, Reference):
        foreign = sorted(owners_of(value) - {names.workflow})
        if foreign:
            message = f"`{option}=` of `{declared.id}` refers to workflow {foreign[0]}"
            problems.append(finding("NX-B128", message, at))
            return None
        return expression_of(value)
    if isinstance(value, str):
        try:
            return parse(value)
        except ExprError as error:
            message = f"`{option}=` of `{declared.id}` cannot be read: {error.message}"
            problems.append(finding("NX-B113", message, at, why=_pointed(value, error.offset)))
            return None
    message = f"`{option}=` of `{declared.id}` is the constant {value!r}, not a condition"
    problems.append(finding("NX-B115", message, at))
    return None


def _pointed(text: str, offset: int | None) -> str:
    if offset is None:
        return ""
    return f"it stops making sense at character {offset + 1}: {text[:offset]}>>>{text[offset:]}"


def _unknown(declared: Declared, option: str, expr: Expr, names: Names, at: Span) -> Iterable[Diagnostic]:
    for root in sorted({path[0] for path in refs(expr)}):
        if root in names.schemas:
            continue
        if root in names.later or root == declared.id:
            message = f"`{option}=` of `{declared.id}` reads `{root}`, which is not declared before it"
            yield finding("NX-B102", message, at)
        else:
            hint = did_you_mean(root, names.schemas)
            fix = f"use a name that has a value here: {', '.join(names.schemas)}"
            yield finding(
                "NX-B101", f"`{option}=` of `{declared.id}` reads `{root}`, which is no node{hint}", at, fixes=(fix,)
            )


def roots_of(expr: Expr | None) -> Iterator[str]:
    """The nodes that an expression reads."""
    if expr is not None:
        yield from sorted({path[0] for path in refs(expr)} - {INPUT, RUN})
