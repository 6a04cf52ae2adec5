"""Building expressions without text: what the SDK's fluent references are made of.

Plain Python values are accepted wherever an expression is: `binary(">=", ref("verdict", "score"), 80)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from nexum.core.expr.syntax import (
    Binary,
    Call,
    Expr,
    ExprError,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Select,
    Ternary,
    Unary,
)

Value = Expr | bool | int | float | str | None | Sequence["Value"]

_PARTS = (Literal, Name, Select, Index, Unary, Binary, Logic, Ternary, ListLiteral, Call)


def lift(value: Value) -> Expr:
    """An expression as it is; a Python value as a literal; a list or tuple as a list literal.

    Raises `ExprError` for any other type, an integer beyond 64 bits, NaN and infinities.
    """
    if isinstance(value, _PARTS):
        return value
    if isinstance(value, list | tuple):
        return ListLiteral(tuple(lift(item) for item in value))
    if value is None or isinstance(value, bool | int | float | str):
        return Literal(value)
    raise ExprError(f"{type(value).__name__} cannot stand in a condition; null, bool, int, float, str and lists can")


def ref(root: str, *fields: str) -> Expr:
    """`ref("verdict", "score")` is `verdict.score`."""
    expr: Expr = Name(root)
    for field in fields:
        expr = Select(expr, field)
    return expr


def binary(op: str, left: Value, right: Value) -> Expr:
    """`left op right`, where op is one of `== != < <= > >= in + - * / %`."""
    return Binary(op, lift(left), lift(right))


def all_of(*operands: Value) -> Expr:
    """All operands joined by `&&`, flattened. One operand is itself; none is `true`."""
    return _join("&&", operands, empty=True)


def any_of(*operands: Value) -> Expr:
    """All operands joined by `||`, flattened. One operand is itself; none is `false`."""
    return _join("||", operands, empty=False)


def negate(operand: Value) -> Expr:
    """`!operand`."""
    return Unary("!", lift(operand))


def ternary(test: Value, then: Value, other: Value) -> Expr:
    """`test ? then : other`."""
    return Ternary(lift(test), lift(then), lift(other))


def call(function: str, *args: Value) -> Expr:
    """`has(x)`, `size(x)`, `is_true(x)`; `call("startsWith", x, y)` is `x.startsWith(y)`, likewise the other methods."""
    return Call(function, tuple(lift(arg) for arg in args))


def _join(op: str, operands: Sequence[Value], *, empty: bool) -> Expr:
    flat: list[Expr] = []
    for operand in map(lift, operands):
        flat.extend(operand.operands if isinstance(operand, Logic) and operand.op == op else (operand,))
    if not flat:
        return Literal(empty)
    return flat[0] if len(flat) == 1 else Logic(op, tuple(flat))
