"""From tree to closure: compiled once, called per evaluation, total and bounded.

Every closure takes the roots and returns a JSON value or `UNKNOWN`, or raises `EvalError`; it raises nothing else for
JSON data. `&&` and `||` alone turn `EvalError` into unknown. Comparing a field with a number and looking for a string in
a list of literals have closures of their own, because most conditions do just that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from nexum.core.expr.arithmetic import ORDERINGS, arithmetic, fitting, negative, order
from nexum.core.expr.outcome import ABSENT, UNKNOWN, EvalError, Missing, kind_of
from nexum.core.expr.syntax import (
    ARITHMETIC,
    Binary,
    Call,
    Expr,
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
from nexum.core.schema.equality import same

Roots = Mapping[str, object]
Evaluate = Callable[[Roots], Any]

_STRINGS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}


def compile_expr(expr: Expr) -> Evaluate:
    """Make a function of the roots.

    The function takes a mapping from root names to JSON values (`ABSENT`, or no entry, for a root that was skipped)
    and returns a JSON value or `UNKNOWN`. It raises `EvalError` for a real error outside `&&` and `||`.
    """
    match expr:
        case Literal(value):
            return lambda roots: value
        case Name() | Select():
            path = path_of(expr)
            return _select(expr) if path is None else _read(path)
        case Index(operand, index):
            return _index(compile_expr(operand), compile_expr(index))
        case Unary(op, operand):
            return _not(compile_expr(operand)) if op == "!" else _negative(compile_expr(operand))
        case Binary():
            return _binary(expr)
        case Logic(op, operands):
            return _logic(decisive=op == "||", operands=tuple(map(compile_expr, operands)))
        case Ternary(test, then, other):
            return _ternary(compile_expr(test), compile_expr(then), compile_expr(other))
        case ListLiteral(items):
            return _list(tuple(map(compile_expr, items)))
        case Call():
            return _call(expr)
        case _:
            assert_never(expr)


def unknown_refs(expr: Expr, roots: Roots) -> tuple[tuple[str, ...], ...]:
    """The references of an expression that read as unknown, sorted: why a condition was unknown."""
    return tuple(sorted(path for path in refs(expr) if _walk(roots, path) is UNKNOWN))


def _walk(roots: Roots, path: tuple[str, ...]) -> object:
    value: Any = roots
    try:
        for name in path:
            value = value[name]
    except (KeyError, TypeError):  # no such field; or what should hold it is absent, null or no object
        return UNKNOWN
    return UNKNOWN if value is ABSENT else value


def _read(path: tuple[str, ...]) -> Evaluate:
    root, *fields = path

    def read_field(roots: Any) -> Any:
        try:
            value = roots[root][field]
        except (KeyError, TypeError):
            return UNKNOWN
        return fitting(value) if type(value) is int else value

    def read(roots: Roots) -> Any:
        value = _walk(roots, path)
        return fitting(value) if type(value) is int else value

    if len(fields) == 1:
        (field,) = fields
        return read_field
    return read


def _select(expr: Expr) -> Evaluate:
    assert isinstance(expr, Select)
    operand, field = compile_expr(expr.operand), expr.field

    def select(roots: Roots) -> Any:
        holder = operand(roots)
        value = holder.get(field, UNKNOWN) if type(holder) is dict else UNKNOWN
        return fitting(value) if type(value) is int else value

    return select


def _index(operand: Evaluate, index: Evaluate) -> Evaluate:
    def element(roots: Roots) -> Any:
        holder, at = operand(roots), index(roots)
        if holder is UNKNOWN or at is UNKNOWN or holder is None or at is None:
            return UNKNOWN
        if type(holder) is not list or type(at) is not int:
            raise EvalError(f"{kind_of(holder)} cannot be indexed by {kind_of(at)}")
        if not 0 <= at < len(holder):
            raise EvalError(f"index {at} is out of range: the list has {len(holder)} element(s)")
        value = holder[at]
        return fitting(value) if type(value) is int else value

    return element


def _not(operand: Evaluate) -> Evaluate:
    def invert(roots: Roots) -> Any:
        value = operand(roots)
        if value is True:
            return False
        if value is False:
            return True
        return _unknown_or_no_boolean("!", value)

    return invert


def _negative(operand: Evaluate) -> Evaluate:
    def negate(roots: Roots) -> Any:
        value = operand(roots)
        return UNKNOWN if value is UNKNOWN or value is None else negative(value)

    return negate


def _logic(*, decisive: bool, operands: tuple[Evaluate, ...]) -> Evaluate:
    """`&&` is decided by a false, `||` by a true; failing that by anything that is no boolean; failing that settled."""
    settled = not decisive

    def join(roots: Roots) -> Any:
        result: Any = settled
        for operand in operands:
            try:
                value = operand(roots)
            except EvalError:
                value = UNKNOWN
            if value is decisive:
                return decisive
            if value is not settled:
                result = UNKNOWN
        return result

    return join


def _ternary(test: Evaluate, then: Evaluate, other: Evaluate) -> Evaluate:
    def choose(roots: Roots) -> Any:
        value = test(roots)
        if value is True:
            return then(roots)
        if value is False:
            return other(roots)
        return _unknown_or_no_boolean("?:", value)

    return choose


def _list(items: tuple[Evaluate, ...]) -> Evaluate:
    def collect(roots: Roots) -> Any:
        values = [item(roots) for item in items]
        return UNKNOWN if any(value is UNKNOWN for value in values) else values

    return collect


def _binary(expr: Binary) -> Evaluate:
    op, left, right = expr.op, compile_expr(expr.left), compile_expr(expr.right)
    constant = _constant(expr.right)
    if op in ("==", "!="):
        return _equal(left, right, wanted=op == "==")
    if op == "in":
        return _in(left, right) if constant is UNKNOWN else _in_constant(left, constant)
    if op in ARITHMETIC:
        return _over_known(arithmetic, op, left, right)
    if type(constant) in (int, float):
        return _order_with_number(op, left, constant)
    return _over_known(order, op, left, right)


def _constant(expr: Expr) -> Any:
    """The value of a literal or a list of literals; UNKNOWN for anything else."""
    if isinstance(expr, Literal):
        return expr.value
    if isinstance(expr, ListLiteral) and all(isinstance(item, Literal) for item in expr.items):
        return [item.value for item in expr.items if isinstance(item, Literal)]
    return UNKNOWN


def _over_known(apply: Callable[[str, Any, Any], object], op: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def run(roots: Roots) -> Any:
        a, b = left(roots), right(roots)
        if a is UNKNOWN or b is UNKNOWN or a is None or b is None:
            return UNKNOWN
        return apply(op, a, b)

    return run


def _order_with_number(op: str, left: Evaluate, bound: float) -> Evaluate:
    compare = ORDERINGS[op]

    def run(roots: Roots) -> Any:
        value = left(roots)
        kind = type(value)
        if kind is int or kind is float:
            return compare(value, bound)
        return UNKNOWN if value is UNKNOWN or value is None else order(op, value, bound)

    return run


def _equal(left: Evaluate, right: Evaluate, *, wanted: bool) -> Evaluate:
    def run(roots: Roots) -> Any:
        a, b = left(roots), right(roots)
        if a is UNKNOWN or b is UNKNOWN:
            return UNKNOWN
        return same(a, b) is wanted

    return run


def _in(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(roots: Roots) -> Any:
        member, holder = left(roots), right(roots)
        if member is UNKNOWN or holder is UNKNOWN or member is None or holder is None:
            return UNKNOWN
        if type(holder) is list:
            return any(same(member, item) for item in holder)
        if type(holder) is dict and type(member) is str:
            return member in holder
        raise EvalError(f"in cannot look for {kind_of(member)} in {kind_of(holder)}")

    return run


def _in_constant(left: Evaluate, holder: Any) -> Evaluate:
    strings = frozenset(item for item in holder if type(item) is str) if type(holder) is list else frozenset()
    slow = _in(left, lambda roots: holder)

    def run(roots: Roots) -> Any:
        member = left(roots)
        return member in strings if type(member) is str and strings else slow(roots)

    return run


def _call(expr: Call) -> Evaluate:
    args = tuple(map(compile_expr, expr.args))
    match expr.function:
        case "has":
            return _has(expr.args[0])
        case "size":
            return _size(*args)
        case "is_true":
            return _is_true(*args)
        case method:
            return _over_known(_string_method, method, *args)


def _has(operand: Expr) -> Evaluate:
    path = path_of(operand)
    if path is not None:
        return lambda roots: _walk(roots, path) is not UNKNOWN
    assert isinstance(operand, Select)
    holder, field = compile_expr(operand.operand), operand.field

    def present(roots: Roots) -> bool:
        try:
            value = holder(roots)
        except EvalError:
            return False  # what cannot be reached is not there
        return type(value) is dict and field in value

    return present


def _size(operand: Evaluate) -> Evaluate:
    def measure(roots: Roots) -> Any:
        value = operand(roots)
        if value is UNKNOWN or value is None:
            return UNKNOWN
        if type(value) in (str, list, dict):
            return len(value)
        raise EvalError(f"{kind_of(value)} has no size")

    return measure


def _is_true(operand: Evaluate) -> Evaluate:
    return lambda roots: operand(roots) is True


def _string_method(method: str, text: Any, part: Any) -> bool:
    if type(text) is str and type(part) is str:
        return _STRINGS[method](text, part)
    raise EvalError(f"{method} cannot be applied to {kind_of(text)} and {kind_of(part)}")


def _unknown_or_no_boolean(op: str, value: object) -> Missing:
    if value is UNKNOWN or value is None:
        return UNKNOWN
    raise EvalError(f"{op} needs a boolean, not {kind_of(value)}")


__all__ = ["ABSENT", "UNKNOWN", "EvalError", "Evaluate", "Roots", "compile_expr", "unknown_refs"]
