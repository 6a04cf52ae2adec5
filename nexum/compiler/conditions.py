"""Conditions and keys: read, resolved against the names of the workflow, and checked against the schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import did_you_mean, finding
from nexum.compiler.references import Reference, expression_of, owners_of
from nexum.compiler.sources import Span, option_span
from nexum.core.expr.parse import parse
from nexum.core.expr.spell import spell
from nexum.core.expr.syntax import Expr, ExprError, refs
from nexum.core.expr.typecheck import Checked, check
from nexum.core.expr.types import known, worded
from nexum.core.graph.nodes import INPUT, Schema
from nexum.core.schema import alternatives, field_at, kinds
from nexum.errors import Diagnostic
from nexum.errors.misfits import got

RUN = "run"
RUN_SCHEMA: Schema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "key": {"type": "string"}, "tenant": {"type": "string"}},
    "required": ["id", "key", "tenant"],
}

_KEYS = frozenset({"string", "integer"})
_SAME_FOR_ALL = frozenset({(RUN, "tenant")})  # what does not tell one run from another
_RUN_KEY = (RUN, "key")
_IN_PLACE = ("use a field of the input, and start the run with a `run_key` made from the same field",)


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression of one node may name.

    `schemas` are the roots with a value, `absent` those of them that may be skipped, `later` nodes declared afterwards.
    """

    workflow: str
    schemas: dict[str, Schema]
    absent: frozenset[str]
    later: frozenset[str]


def condition(declared: Declared, option: str, value: object, names: Names, problems: list[Diagnostic]) -> Expr | None:
    """The condition of an option; None when there is none, or when it cannot be used (then `problems` says why)."""
    expr = _read(declared, option, value, names, problems)
    if expr is None:
        return None
    at = option_span(declared, option)
    found = check(expr, names.schemas, absent=names.absent)
    mine = list(_mistakes(declared, option, found, names, at))
    if not refs(expr):
        mine.append(finding("NX-B115", f"`{option}=` of `{declared.id}` is the constant `{spell(expr)}`", at))
    elif not found.is_condition:
        message = f"`{option}=` of `{declared.id}` is {worded(found.type)}, not true or false"
        mine.append(finding("NX-B114", message, at))
    problems.extend(mine)
    return expr


def business_key(declared: Declared, value: object, names: Names, problems: list[Diagnostic]) -> Expr | None:
    """The key expression of an effect; like `condition`, but a string or integer that is there in every run."""
    expr = _read(declared, "key", value, names, problems)
    if expr is None:
        return None
    at = option_span(declared, "key")
    found = check(expr, names.schemas, absent=names.absent)
    mine = list(_mistakes(declared, "key", found, names, at))
    paths = refs(expr)
    if paths <= _SAME_FOR_ALL:
        message = f"`key=` of `{declared.id}` is `{spell(expr)}`, the same for every run"
        mine.append(finding("NX-B121", message, at))
    elif not mine and not known(found.type) <= _KEYS:
        mine.append(finding("NX-B122", f"`key=` of `{declared.id}` is {worded(found.type)}", at))
    elif not mine:
        for path in sorted(path for path in paths if may_be_missing(names.schemas[path[0]], path[1:])):
            message = f"`key=` of `{declared.id}` reads `{'.'.join(path)}`, which may be null or left out"
            mine.append(finding("NX-B122", message, at))
        if _RUN_KEY in paths:
            message = f"`key=` of `{declared.id}` reads `run.key`, which is empty in a run that was started without one"
            mine.append(finding("NX-B122", message, at, fixes=_IN_PLACE))
    problems.extend(mine)
    return expr


def may_be_missing(schema: Schema, path: Sequence[str]) -> bool:
    """Whether the value at a path can be null, or not there because a field on the way may be left out."""
    holders = alternatives(schema)
    for name in path:
        if any(name not in holder.get("required", ()) for holder in holders):
            return True
        holders = tuple(one for part in holders for one in alternatives(field_at(part, (name,)) or {}))
    return any("null" in kinds(holder) for holder in holders)


def _mistakes(declared: Declared, option: str, found: Checked, names: Names, at: Span) -> Iterator[Diagnostic]:
    where = f"`{option}=` of `{declared.id}`"
    for problem in found.problems:
        if problem.may_be_unknown:
            root = problem.path[0]
            message = f"{where} reads `{problem.where}`, and `{root}` may be skipped"
            yield finding(
                "NX-B116", message, at, fixes=(f"write `has({root}) && ...`", "take up the other case with `||`")
            )
        elif problem.path and field_at(names.schemas[problem.path[0]], problem.path[1:]) is None:
            hint = f"; did you mean '{problem.did_you_mean}'?" if problem.did_you_mean else ""
            yield finding(
                "NX-B105", f"{where} reads `{problem.where}`, which is no field{hint}", at, why=problem.message
            )
        else:
            fixes = (f"write `{problem.did_you_mean}`",) if problem.did_you_mean else ()
            yield finding("NX-B114", f"{where}: {problem.message}", at, fixes=fixes)


def _read(declared: Declared, option: str, value: object, names: Names, problems: list[Diagnostic]) -> Expr | None:
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
    message = f"`{option}=` of `{declared.id}` is the constant {got(value)}, not a condition"
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
