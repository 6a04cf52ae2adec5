"""Typed references: `verdict.out.score >= 80` written in Python, meant as an expression.

To the type checker `verdict.out` is a `Verdict`, so a wrong field is seen before anything runs. At run time it is a
reference that writes itself down: every operator gives a new reference with the tree of the expression so far, the same
tree that the text form is parsed to. A reference has no value while a workflow is being declared; `and`, `or`, `not`,
`if`, f-strings and iteration would silently use something else, so they raise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from nexum.compiler.annotations import name_of
from nexum.compiler.declared import Place
from nexum.compiler.diagnostics import build_error, did_you_mean, finding, render_all
from nexum.compiler.fields import element_of, fields_of
from nexum.compiler.sources import line_span
from nexum.core.expr.build import all_of, any_of, binary, call, lift, negate
from nexum.core.expr.spell import spell
from nexum.core.expr.syntax import Expr, ExprError, Index, ListLiteral, Select
from nexum.errors import BuildError


class NoSuchField(BuildError, AttributeError):  # noqa: N818 (`hasattr` must see an AttributeError)
    """A reference to a field that its type does not have."""


class Reference:
    """An expression in the making. `owners` are the workflows whose names it uses."""

    __slots__ = ("_expr", "_kind", "_owners")

    def __init__(self, expr: Expr, kind: Any, owners: frozenset[str]) -> None:
        self._expr = expr
        self._kind = kind
        self._owners = owners

    def __getattr__(self, name: str) -> Reference:
        if name.startswith("_"):
            raise AttributeError(name)
        fields = fields_of(self._kind)
        if fields is None:
            return Reference(Select(self._expr, name), Any, self._owners)
        if name not in fields:
            raise _no_such_field(self, name, fields)
        spelled, kind = fields[name]
        return Reference(Select(self._expr, spelled), kind, self._owners)

    def __getitem__(self, key: object) -> Reference:
        part = Select(self._expr, key) if isinstance(key, str) else Index(self._expr, _expr(key))
        return Reference(part, element_of(self._kind), self._owners | _owners((key,)))

    def __eq__(self, other: object) -> Reference:  # type: ignore[override]  # builds a condition, as query languages do
        return _binary("==", self, other)

    def __ne__(self, other: object) -> Reference:  # type: ignore[override]
        return _binary("!=", self, other)

    def __lt__(self, other: object) -> Reference:
        return _binary("<", self, other)

    def __le__(self, other: object) -> Reference:
        return _binary("<=", self, other)

    def __gt__(self, other: object) -> Reference:
        return _binary(">", self, other)

    def __ge__(self, other: object) -> Reference:
        return _binary(">=", self, other)

    def __add__(self, other: object) -> Reference:
        return _binary("+", self, other)

    def __radd__(self, other: object) -> Reference:
        return _binary("+", other, self)

    def __and__(self, other: object) -> Reference:
        return Reference(all_of(_expr(self), _expr(other)), bool, _owners((self, other)))

    def __or__(self, other: object) -> Reference:
        return Reference(any_of(_expr(self), _expr(other)), bool, _owners((self, other)))

    def __rand__(self, other: object) -> Reference:
        return Reference(all_of(_expr(other), _expr(self)), bool, self._owners)

    def __ror__(self, other: object) -> Reference:
        return Reference(any_of(_expr(other), _expr(self)), bool, self._owners)

    def __invert__(self) -> Reference:
        return negation(self)

    def __bool__(self) -> NoReturn:
        _no_value(self, "no truth value", "write `&`, `|` and `not_(x)` instead of `and`, `or` and `not`")

    def __str__(self) -> str:
        _no_value(self, "no text", 'join texts in the expression itself: `key="order:" + purchase.out.order_id`')

    def __format__(self, spec: str) -> str:
        return str(self)

    def __len__(self) -> int:
        _no_value(self, "no length", "write `size(x)` instead of `len(x)`")

    def __iter__(self) -> NoReturn:
        _no_value(self, "no elements", "write `in_(x, [...])` instead of `x in [...]`; loop inside a handler")

    def __contains__(self, item: object) -> bool:
        _no_value(self, "no elements", "write `in_(x, y)` instead of `x in y`")

    def __repr__(self) -> str:
        return f"<reference {spell(self._expr)}>"

    __hash__ = None  # type: ignore[assignment]  # equality builds a condition, so a reference cannot be a key


def expression_of(reference: Reference) -> Expr:
    """The expression that a reference stands for."""
    return reference._expr


def owners_of(reference: Reference) -> frozenset[str]:
    """The workflows whose names a reference uses."""
    return reference._owners


def function(name: str, operand: object) -> Reference:
    """`name(operand)` as an expression: has, size or is_true."""
    return Reference(_guarded(lambda: call(name, _expr(operand))), Any, _owners((operand,)))


def membership(item: object, among: object) -> Reference:
    """`item in among` as an expression."""
    return _binary("in", item, among)


def negation(condition: object) -> Reference:
    """`!condition` as an expression."""
    return Reference(negate(_expr(condition)), bool, _owners((condition,)))


def _binary(operator: str, left: object, right: object) -> Reference:
    return Reference(_guarded(lambda: binary(operator, _expr(left), _expr(right))), Any, _owners((left, right)))


def _expr(value: object) -> Expr:
    if isinstance(value, Reference):
        return value._expr
    if isinstance(value, list | tuple):
        return ListLiteral(tuple(_expr(item) for item in value))
    return _guarded(lambda: lift(value))  # type: ignore[arg-type]  # anything may be tried; `lift` refuses what is none


def _guarded(make: Callable[[], Expr]) -> Expr:
    """What `make` gives; a tree that cannot be made becomes a diagnostic at the author's line."""
    try:
        return make()
    except ExprError as error:
        fix = "compare with None, a bool, a number, a string, or a list of these"
        raise _misuse(f"this cannot stand in a condition: {error.message}", fix) from error


def _owners(values: Iterable[object]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for value in values:
        if isinstance(value, Reference):
            found |= value._owners
        elif isinstance(value, list | tuple):
            found |= _owners(value)
    return found


def _no_value(reference: Reference, what: str, fix: str) -> NoReturn:
    raise _misuse(f"`{spell(reference._expr)}` has {what} while the workflow is declared", fix, reference._owners)


def _misuse(message: str, fix: str, owners: frozenset[str] = frozenset()) -> BuildError:
    name = ", ".join(sorted(owners)) or "the workflow"
    return build_error(name, [finding("NX-B115", message, line_span(_caller()), fixes=(fix,))])


def _no_such_field(reference: Reference, name: str, fields: Iterable[str]) -> NoSuchField:
    known = sorted(fields)
    message = f"{name_of(reference._kind)} has no field '{name}'{did_you_mean(name, known)}"
    fix = f"the fields of `{spell(reference._expr)}` are: {', '.join(known) or 'none'}"
    found = finding("NX-B105", message, line_span(_caller()), fixes=(fix,))
    error = NoSuchField(", ".join(sorted(reference._owners)), (found,))
    error.add_note("\n" + render_all([found]))
    return error


def _caller() -> Place:
    """The innermost line outside this file: what the author wrote."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename in _OURS:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


_OURS = frozenset({__file__, call.__code__.co_filename})
