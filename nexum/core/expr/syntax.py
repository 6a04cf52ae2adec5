"""The tree of an expression: frozen, hashable, and never too large to walk."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MAX_TEXT: Final = 4_096  # characters
MAX_DEPTH: Final = 32  # levels
MAX_NODES: Final = 512

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1

COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%"})
LOGIC: Final = frozenset({"&&", "||"})
FUNCTIONS: Final = {"has": 1, "size": 1, "is_true": 1, "startsWith": 2, "endsWith": 2, "contains": 2}
METHODS: Final = frozenset({"startsWith", "endsWith", "contains"})  # written x.f(y), not f(x, y)
NOT_NAMES: Final = frozenset({"true", "false", "null", "in"})

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
QUOTABLE: Final = re.compile(r"[^`\x00-\x1f\x7f\ud800-\udfff]+\Z")


class ExprError(ValueError):
    """The text or the tree is not an expression.

    `offset` counts characters from the start of the text (None where there is no text); `did_you_mean` is a
    replacement for what stands there, or None.
    """

    def __init__(self, message: str, offset: int | None = None, did_you_mean: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.did_you_mean = did_you_mean


@dataclass(frozen=True)
class _Tree:
    """What all parts share: their size, counted once when they are made, and the bounds."""

    size: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The expressions directly inside this one, in the order of the text."""
        return ()

    def __post_init__(self) -> None:
        parts = self.parts
        size = 1 + sum(part.size for part in parts)
        depth = 1 + max((part.depth for part in parts), default=0)
        if size > MAX_NODES:
            raise ExprError(f"the expression has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise ExprError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "depth", depth)


@dataclass(frozen=True, eq=False)
class Literal(_Tree):
    """A null, boolean, 64-bit integer, finite double or string. `Literal(1)` is not `Literal(1.0)` nor `Literal(True)`."""

    value: bool | int | float | str | None

    def __post_init__(self) -> None:
        _require_literal(self.value)
        _Tree.__post_init__(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and _identity(self.value) == _identity(other.value)

    def __hash__(self) -> int:
        return hash(_identity(self.value))


@dataclass(frozen=True)
class Name(_Tree):
    """A root: a node's output, `input`, `item` or `run`."""

    name: str

    def __post_init__(self) -> None:
        if not IDENTIFIER.match(self.name) or self.name in NOT_NAMES:
            raise ExprError(f"{self.name!r} cannot be a name in a condition")
        _Tree.__post_init__(self)


@dataclass(frozen=True)
class Select(_Tree):
    """A field of a value: `operand.field`."""

    operand: Expr
    field: str

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The value whose field it is."""
        return (self.operand,)

    def __post_init__(self) -> None:
        if not QUOTABLE.match(self.field):
            raise ExprError(f"{self.field!r} cannot be a field name in a condition")
        _Tree.__post_init__(self)


@dataclass(frozen=True)
class Index(_Tree):
    """One element of a list: `operand[index]`, from 0."""

    operand: Expr
    index: Expr

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The list or map, and the place in it."""
        return (self.operand, self.index)


@dataclass(frozen=True)
class Unary(_Tree):
    """`!operand` or `-operand`."""

    op: str
    operand: Expr

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The value that the operator stands before."""
        return (self.operand,)

    def __post_init__(self) -> None:
        _require_one_of(self.op, frozenset({"!", "-"}))
        _Tree.__post_init__(self)


@dataclass(frozen=True)
class Binary(_Tree):
    """A comparison, `in`, or arithmetic over two operands."""

    op: str
    left: Expr
    right: Expr

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The left side and the right side."""
        return (self.left, self.right)

    def __post_init__(self) -> None:
        _require_one_of(self.op, COMPARISONS | ARITHMETIC)
        _Tree.__post_init__(self)


@dataclass(frozen=True)
class Logic(_Tree):
    """`&&` or `||` over two or more operands.

    Flat, because both are associative: `(a && b) && c` and `a && (b && c)` are the same tree, and a long chain is not
    a deep one. `build.all_of` and `build.any_of` flatten; the constructor refuses a nested operand of its own kind.
    """

    op: str
    operands: tuple[Expr, ...]

    @property
    def parts(self) -> tuple[Expr, ...]:
        """What is joined, from left to right."""
        return self.operands

    def __post_init__(self) -> None:
        _require_one_of(self.op, LOGIC)
        if len(self.operands) < 2:
            raise ExprError(f"{self.op} takes two or more operands, not {len(self.operands)}")
        if any(isinstance(operand, Logic) and operand.op == self.op for operand in self.operands):
            raise ExprError(f"{self.op} directly inside {self.op} is written flat")
        _Tree.__post_init__(self)


@dataclass(frozen=True)
class Ternary(_Tree):
    """`test ? then : other`."""

    test: Expr
    then: Expr
    other: Expr

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The test, and the two values that it chooses from."""
        return (self.test, self.then, self.other)


@dataclass(frozen=True)
class ListLiteral(_Tree):
    """`[a, b, c]`."""

    items: tuple[Expr, ...]

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The elements."""
        return self.items


@dataclass(frozen=True)
class Call(_Tree):
    """One of the functions in `FUNCTIONS`; for a method the receiver is the first argument."""

    function: str
    args: tuple[Expr, ...]

    @property
    def parts(self) -> tuple[Expr, ...]:
        """The arguments."""
        return self.args

    def __post_init__(self) -> None:
        _require_one_of(self.function, frozenset(FUNCTIONS))
        wanted = FUNCTIONS[self.function]
        if len(self.args) != wanted:
            raise ExprError(f"{self.function} takes {wanted} argument(s), not {len(self.args)}")
        if self.function == "has" and not isinstance(self.args[0], Name | Select):
            raise ExprError("has() takes a name or a field, such as has(verdict.score)")
        _Tree.__post_init__(self)


Expr = Literal | Name | Select | Index | Unary | Binary | Logic | Ternary | ListLiteral | Call


def walk(expr: Expr) -> Iterator[Expr]:
    """Every part of an expression, itself first."""
    yield expr
    for part in expr.parts:
        yield from walk(part)


def path_of(expr: Expr) -> tuple[str, ...] | None:
    """`("verdict", "score")` for `verdict.score`; None for what is not a plain reference."""
    fields: list[str] = []
    while isinstance(expr, Select):
        fields.append(expr.field)
        expr = expr.operand
    return (expr.name, *reversed(fields)) if isinstance(expr, Name) else None


def refs(expr: Expr) -> frozenset[tuple[str, ...]]:
    """The field paths that an expression reads, each as long as it is written; the first element is the root.

    `items[0].price` reads `("items",)`: an index reads the whole list.
    """
    path = path_of(expr)
    if path is not None:
        return frozenset({path})
    return frozenset().union(*(refs(part) for part in expr.parts))


def _identity(value: bool | int | float | str | None) -> tuple[type, object]:
    return (float, repr(value)) if isinstance(value, float) else (type(value), value)  # -0.0 is not 0.0


def _require_literal(value: object) -> None:
    kind = type(value)
    if kind not in (bool, int, float, str, type(None)):
        raise ExprError(f"{kind.__name__} cannot be a literal in a condition; null, bool, int, float and str can")
    if isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise ExprError(f"{value} does not fit in 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExprError(f"{value} is not a finite number")
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise ExprError("a string literal cannot hold a lone surrogate")


def _require_one_of(name: str, allowed: frozenset[str]) -> None:
    if name not in allowed:
        raise ExprError(f"{name!r} is not one of {' '.join(sorted(allowed))}")
