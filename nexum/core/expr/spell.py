"""The canonical text of an expression: single spaces, double quotes, no bracket that is not needed."""

from __future__ import annotations

from typing import Final, assert_never

from nexum.core.expr.syntax import (
    ARITHMETIC,
    IDENTIFIER,
    MAX_TEXT,
    METHODS,
    NOT_NAMES,
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

TERNARY, OR, AND, RELATION, SUM, PRODUCT, UNARY, POSTFIX, ATOM = range(9)

_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spell(expr: Expr) -> str:
    """Write an expression so that `parse` reads the same one. Raises `ExprError` beyond 4,096 characters."""
    text = _text(expr)
    if len(text) > MAX_TEXT:
        raise ExprError(f"the expression is {len(text)} characters long; at most {MAX_TEXT} are allowed", MAX_TEXT)
    return text


def precedence(op: str) -> int:
    """How tightly a binary operator binds."""
    if op in ("*", "/", "%"):
        return PRODUCT
    if op in ARITHMETIC:
        return SUM
    return {"&&": AND, "||": OR}.get(op, RELATION)


def _text(expr: Expr) -> str:
    match expr:
        case Literal(value):
            return _literal(value)
        case Name(name):
            return name
        case Select(operand, field):
            return f"{_inside(operand, POSTFIX)}.{_field(field)}"
        case Index(operand, index):
            return f"{_inside(operand, POSTFIX)}[{_text(index)}]"
        case Unary(op, operand):
            plain = not (_is_number(operand) or isinstance(operand, Unary))  # -(5) is a negation, -5 a literal
            return f"{op}{_inside(operand, UNARY)}" if plain else f"{op}({_text(operand)})"
        case Binary(op, left, right):
            level = precedence(op)
            return f"{_inside(left, level)} {op} {_inside(right, level + 1)}"
        case Logic(op, operands):
            level = precedence(op)
            return f" {op} ".join(_inside(operand, level + 1) for operand in operands)
        case Ternary(test, then, other):
            return f"{_inside(test, OR)} ? {_inside(then, OR)} : {_text(other)}"
        case ListLiteral(items):
            return f"[{', '.join(map(_text, items))}]"
        case Call(function, args) if function in METHODS:
            return f"{_inside(args[0], POSTFIX)}.{function}({_text(args[1])})"
        case Call(function, args):
            return f"{function}({', '.join(map(_text, args))})"
        case _:
            assert_never(expr)


def _inside(expr: Expr, level: int) -> str:
    """The text of an operand, in brackets if it binds less tightly than its place needs."""
    text = _text(expr)
    return text if _level(expr, level) >= level else f"({text})"


def _level(expr: Expr, place: int) -> int:
    match expr:
        case Ternary():
            return TERNARY
        case Logic(op) | Binary(op):
            return precedence(op)
        case Unary():
            return UNARY
        case Literal() if _is_number(expr) and place == POSTFIX:
            return TERNARY  # (5).x is a field, 5.x is nothing
        case _:
            return ATOM


def _is_number(expr: Expr) -> bool:
    return isinstance(expr, Literal) and type(expr.value) in (int, float)


def _field(name: str) -> str:
    return name if IDENTIFIER.match(name) and name not in NOT_NAMES else f"`{name}`"


def _literal(value: bool | int | float | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    return repr(value)


def _character(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    return c if c.isprintable() else f"\\U{ord(c):08x}"
