"""The condition language: CEL's syntax, a small bounded part of its meaning, and a third truth value.

An expression is a frozen tree (`syntax`). It is written as text (`parse`), by fluent references (`build`), and spelled
back canonically (`spell`): `parse(spell(e)) == e`. No expression is large: 4,096 characters, 512 nodes, 32 levels; a
tree beyond that cannot be constructed, so everything below terminates and nothing below recurses far. There are no
loops, no macros, no regular expressions and no user code: the cost of an evaluation is at most nodes times data.

Truth has three values. Reading a field of something absent, null or without that field gives *unknown*; comparing,
adding or measuring unknown or null gives unknown; `==` and `!=` with a null that is known are two-valued. `&&` is false
if any operand is false, else unknown if any is unknown; `||` is true if any is true, else unknown if any is unknown. A
real error (division by zero, overflow of 64 bits, an index out of range, kinds that do not fit) counts as unknown
inside `&&` and `||`, and is raised elsewhere. `has(x)` is never unknown; `is_true(x)` turns unknown into false and is
our one operator that CEL lacks. Only *true* is ever taken.

`refs` says exactly which fields an expression reads; `check` holds it against the JSON Schemas of its roots before
anything runs.
"""

from __future__ import annotations

from nexum.core.expr.build import all_of, any_of, binary, call, lift, negate, ref, ternary
from nexum.core.expr.evaluate import compile_expr, unknown_refs
from nexum.core.expr.outcome import ABSENT, UNKNOWN, EvalError, Missing
from nexum.core.expr.parse import parse
from nexum.core.expr.spell import spell
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
    path_of,
    refs,
)
from nexum.core.expr.typecheck import Checked, ExprProblem, check

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "Binary",
    "Call",
    "Checked",
    "EvalError",
    "Expr",
    "ExprError",
    "ExprProblem",
    "Index",
    "ListLiteral",
    "Literal",
    "Logic",
    "Missing",
    "Name",
    "Select",
    "Ternary",
    "Unary",
    "all_of",
    "any_of",
    "binary",
    "call",
    "check",
    "compile_expr",
    "lift",
    "negate",
    "parse",
    "path_of",
    "ref",
    "refs",
    "spell",
    "ternary",
    "unknown_refs",
]
