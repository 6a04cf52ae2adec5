"""Arithmetic and order over JSON values: 64-bit integers that refuse to wrap, finite doubles, strings, lists."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from nexum.core.expr.outcome import EvalError, kind_of
from nexum.core.expr.syntax import INT_MAX, INT_MIN

MAX_RESULT: Final = 65_536  # characters of a joined string, elements of a joined list

_NUMBERS: Final = frozenset({int, float})
_ORDERED: Final = _NUMBERS | {str, bool}

ORDERINGS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def order(op: str, left: Any, right: Any) -> bool:
    """`left op right` for two numbers, two strings or two booleans. Raises `EvalError` for anything else."""
    a, b = type(left), type(right)
    if (a is b and a in _ORDERED) or (a in _NUMBERS and b in _NUMBERS):
        return ORDERINGS[op](left, right)
    raise EvalError(f"{op} cannot compare {kind_of(left)} with {kind_of(right)}")


def arithmetic(op: str, left: Any, right: Any) -> object:
    """`left op right`.

    Two integers give an integer (division truncates towards zero, as in CEL); with a double the result is a double;
    `+` also joins two strings or two lists. Raises `EvalError` on overflow, division by zero, a result that is not
    finite or longer than 65,536, and for operands that do not fit.
    """
    a, b = type(left), type(right)
    if a is int and b is int:
        return fitting(_integers(op, left, right))
    if a in _NUMBERS and b in _NUMBERS and op != "%":
        return _doubles(op, float(left), float(right))
    if op == "+" and a is b and a in (str, list):
        if len(left) + len(right) > MAX_RESULT:
            raise EvalError(f"+ would make {kind_of(left)} longer than {MAX_RESULT}")
        joined: object = left + right
        return joined
    raise EvalError(f"{op} cannot be applied to {kind_of(left)} and {kind_of(right)}")


def negative(value: Any) -> object:
    """`-value`. Raises `EvalError` for what is not a number, and for the smallest integer."""
    if type(value) is int:
        return fitting(-value)
    if type(value) is float:
        return -value
    raise EvalError(f"- cannot be applied to {kind_of(value)}")


def fitting(value: int) -> int:
    """The integer itself. Raises `EvalError` if it does not fit in 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvalError("the integer does not fit in 64 bits")


def _integers(op: str, left: int, right: int) -> int:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if right == 0:
        raise EvalError(f"{op} by zero")
    quotient = abs(left) // abs(right)
    if (left < 0) != (right < 0):
        quotient = -quotient
    return quotient if op == "/" else left - quotient * right


def _doubles(op: str, left: float, right: float) -> float:
    if op == "/":
        if right == 0:
            raise EvalError("/ by zero")
        result = left / right
    else:
        result = {"+": operator.add, "-": operator.sub, "*": operator.mul}[op](left, right)
    if not math.isfinite(result):
        raise EvalError(f"the result of {op} is not a finite number")
    return result
