"""Holding an expression against the schemas of its roots, before anything runs.

Everything that could never be true is a problem: a root or field that is not there, kinds that no operator joins, a
value that an enumeration does not hold. Null is no problem where an operator turns it into unknown. The one finding
that is not a mistake by itself is a root which may be absent, read where neither `&&`, `||`, `has` nor `is_true` takes
up the unknown: it is flagged `may_be_unknown`, and the caller decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from nexum.core.expr.spell import spell
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
)
from nexum.core.expr.types import (
    ANY,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    NUMBER,
    NUMERIC,
    STRING,
    Type,
    classes,
    element_of,
    field_of,
    kinds_of,
    known,
    list_of,
    may_be,
    type_of_schema,
    values_of,
    worded,
)
from nexum.core.schema.equality import same
from nexum.core.schema.paths import fields, nearest
from nexum.core.schema.resolve import Schema

_ORDERED: Final = frozenset({"number", "string", "boolean"})
_ORDERINGS: Final = frozenset({"<", "<=", ">", ">="})
_NEEDS: Final = {"boolean": "true or false", "array": "a list", "integer": "a whole number", "string": "a string"}


class ExprProblem(NamedTuple):
    """One finding.

    `where` is the text of the part that is meant, `path` its reference if it is one, `did_you_mean` what could stand
    there instead. With `may_be_unknown` the part is sound but may be unknown, because its root may be absent.
    """

    message: str
    where: str
    path: tuple[str, ...] = ()
    did_you_mean: str | None = None
    may_be_unknown: bool = False

    def __str__(self) -> str:
        return self.message + (f" (did you mean {self.did_you_mean}?)" if self.did_you_mean else "")


@dataclass(frozen=True)
class Checked:
    """What an expression may be (JSON Schemas, each able to stand alone), and what is wrong with it."""

    type: tuple[Schema, ...]
    problems: tuple[ExprProblem, ...]

    @property
    def is_condition(self) -> bool:
        """Whether the result can be true."""
        return "boolean" in kinds_of(self.type)


def check(expr: Expr, roots: Mapping[str, Schema], *, absent: frozenset[str] = frozenset()) -> Checked:
    """Find the type of an expression and everything that is wrong with it.

    `roots` are the schemas of what may be named; `absent` are the roots that may be absent (their node may be skipped).
    Raises `SchemaError` if a schema holds a reference that leads nowhere.
    """
    checker = _Checker(roots, absent)
    return Checked(checker.type_of(expr, _Context()), tuple(dict.fromkeys(checker.found)))


class _Context(NamedTuple):
    """Whether an unknown is taken up further out, and the roots that are known to be present here."""

    absorbed: bool = False
    present: frozenset[str] = frozenset()


class _Checker:
    def __init__(self, roots: Mapping[str, Schema], absent: frozenset[str]) -> None:
        self._roots, self._absent = roots, absent
        self.found: list[ExprProblem] = []

    def type_of(self, expr: Expr, at: _Context) -> Type:
        match expr:
            case Literal(value):
                return ({"const": value},)
            case Name():
                return self._name(expr, expr, at)
            case Select():
                return self._select(expr, expr, at)
            case Index(operand, index):
                holder = self.type_of(operand, at)
                self._need(operand, holder, "array", "[]")
                self._need(index, self.type_of(index, at), "integer", "[]")
                return element_of(holder)
            case Unary("!", operand):
                self._need(operand, self.type_of(operand, at), "boolean", "!")
                return BOOLEAN
            case Unary(_, operand):
                return self._number(operand, self.type_of(operand, at), "-")
            case Binary():
                return self._binary(expr, at)
            case Logic(op, operands):
                for operand in operands:
                    self._need(operand, self.type_of(operand, at._replace(absorbed=True)), "boolean", op)
                return BOOLEAN
            case Ternary():
                return self._ternary(expr, at)
            case ListLiteral(items):
                return list_of([self.type_of(item, at) for item in items])
            case Call():
                return self._call(expr, at)
            case _:
                assert_never(expr)

    def _say(self, where: Expr, message: str, did_you_mean: str | None = None, *, unknown: bool = False) -> Type:
        self.found.append(ExprProblem(message, spell(where), path_of(where) or (), did_you_mean, unknown))
        return ANY

    def _name(self, expr: Name, whole: Expr, at: _Context) -> Type:
        """A root. `whole` is the reference that it begins, for the message."""
        if expr.name not in self._roots:
            known_names = ", ".join(sorted(self._roots)) or "nothing"
            near = nearest(expr.name, self._roots)
            return self._say(expr, f"there is no {expr.name} here; there is {known_names}", near)
        if expr.name in self._absent and not at.absorbed and expr.name not in at.present:
            told = f"{spell(whole)} is unknown when {expr.name} was skipped; guard it, such as has({expr.name}) && ..."
            self._say(whole, told, unknown=True)
        return type_of_schema(self._roots[expr.name])

    def _select(self, expr: Select, whole: Expr, at: _Context) -> Type:
        inner = expr.operand
        match inner:
            case Name():
                holder = self._name(inner, whole, at)
            case Select():
                holder = self._select(inner, whole, at)
            case _:
                holder = self.type_of(inner, at)
        found = field_of(holder, expr.field)
        if found is not None:
            return found
        if "object" not in kinds_of(holder):
            return self._say(expr, f"{spell(inner)} is {worded(holder)} and has no fields")
        names = tuple(dict.fromkeys(name for one in holder for name in fields(one)))
        told = f"{spell(inner)} has no field {expr.field}; it has {', '.join(names) or 'none'}"
        return self._say(expr, told, nearest(expr.field, names))

    def _need(self, expr: Expr, kind: Type, wants: str, op: str) -> None:
        if not may_be(kind, wants):
            self._say(expr, f"{op} needs {_NEEDS[wants]}; {spell(expr)} is {worded(kind)}")

    def _number(self, expr: Expr, kind: Type, op: str) -> Type:
        if not known(kind) & NUMERIC:
            self._say(expr, f"{op} needs a number; {spell(expr)} is {worded(kind)}")
        return INTEGER if known(kind) == {"integer"} else NUMBER

    def _ternary(self, expr: Ternary, at: _Context) -> Type:
        self._need(expr.test, self.type_of(expr.test, at), "boolean", "?:")
        then = self.type_of(expr.then, at._replace(present=at.present | _present_if(expr.test, outcome=True)))
        other = self.type_of(expr.other, at._replace(present=at.present | _present_if(expr.test, outcome=False)))
        return (*then, *other)

    def _call(self, expr: Call, at: _Context) -> Type:
        first = expr.args[0]
        match expr.function:
            case "has":
                self.type_of(first, at._replace(absorbed=True))
            case "is_true":
                self._need(first, self.type_of(first, at._replace(absorbed=True)), "boolean", "is_true")
            case "size":
                kind = self.type_of(first, at)
                if not known(kind) & {"string", "array", "object"}:
                    self._say(first, f"size needs a string, a list or an object; {spell(first)} is {worded(kind)}")
                return INTEGER
            case method:
                for arg in expr.args:
                    self._need(arg, self.type_of(arg, at), "string", method)
        return BOOLEAN

    def _binary(self, expr: Binary, at: _Context) -> Type:
        left, right = self.type_of(expr.left, at), self.type_of(expr.right, at)
        if expr.op in ARITHMETIC:
            return self._arithmetic(expr, left, right)
        if expr.op in _ORDERINGS:
            self._order(expr, left, right)
        elif expr.op == "in":
            self._in(expr, left, right)
        else:
            self._equal(expr, expr.left, left, expr.right, right)
        return BOOLEAN

    def _arithmetic(self, expr: Binary, left: Type, right: Type) -> Type:
        joined = classes(known(left)) & classes(known(right)) & {"number", "string", "array"}
        if expr.op != "+":
            joined &= {"number"}
        if expr.op == "%" and not (may_be(left, "integer") and may_be(right, "integer")):
            joined = frozenset()
        if not joined:
            return self._say(expr, f"{expr.op} cannot be applied to {worded(left)} and {worded(right)}")
        if joined != {"number"}:
            lists = list_of([element_of(left), element_of(right)])
            return tuple(one for kind in joined for one in {"number": NUMBER, "string": STRING, "array": lists}[kind])
        if known(left) == known(right) == {"integer"} or expr.op == "%":
            return INTEGER
        if _surely_double(left) or _surely_double(right):
            return DOUBLE
        if expr.op == "/":
            told = f"{spell(expr)} drops the remainder when both happen to be whole; multiply one of them by 1.0 first"
            self._say(expr, told)
        return NUMBER

    def _order(self, expr: Binary, left: Type, right: Type) -> None:
        if classes(known(left)) & classes(known(right)) & _ORDERED:
            return
        told = f"{expr.op} cannot compare {worded(left)} with {worded(right)}"
        if isinstance(expr.left, Binary) and expr.left.op in _ORDERINGS:
            middle = spell(expr.left.right)
            told += f"; write {spell(expr.left)} && {middle} {expr.op} {spell(expr.right)}"
        self._say(expr, told)

    def _in(self, expr: Binary, member: Type, holder: Type) -> None:
        if isinstance(expr.right, ListLiteral):
            for item in expr.right.items:
                self._equal(expr, expr.left, member, item, self.type_of(item, _Context(absorbed=True)))
        elif "array" in known(holder):
            element = element_of(holder)
            if "object" not in known(holder) and not classes(known(member)) & classes(known(element)):
                self._say(expr, f"{spell(expr.right)} never holds {worded(member)}")
        elif "object" not in known(holder) or "string" not in known(member):
            self._say(expr, f"in cannot look for {worded(member)} in {worded(holder)}")

    def _equal(self, whole: Expr, a: Expr, left: Type, b: Expr, right: Type) -> None:
        """One comparison for equality; `whole` is the expression that asks for it."""
        if not classes(kinds_of(left)) & classes(kinds_of(right)):
            self._say(whole, f"{spell(a)} is {worded(left)}, never {worded(right)}")
            return
        for one, kind, other in ((a, left, b), (b, right, a)):
            values = values_of(kind)
            if not isinstance(other, Literal) or isinstance(one, Literal) or values is None or other.value is None:
                continue
            if not any(same(value, other.value) for value in values):
                near = nearest(str(other.value), [value for value in values if isinstance(value, str)])
                hint = None if near is None else json.dumps(near, ensure_ascii=False)
                self._say(whole, f"{spell(one)} is never {spell(other)}; it is {worded(kind)}", hint)


def _present_if(test: Expr, *, outcome: bool) -> frozenset[str]:
    """The roots that must be present when a test gave this outcome."""
    match test:
        case Call("has", (operand,)) if outcome:
            return frozenset((path_of(operand) or ())[:1])
        case Unary("!", operand):
            return _present_if(operand, outcome=not outcome)
        case Logic(op, operands) if (op == "&&") is outcome:
            return frozenset().union(*(_present_if(operand, outcome=outcome) for operand in operands))
    return frozenset()


def _surely_double(kind: Type) -> bool:
    """Whether the value is a double however it was written: a literal with a point, and what comes of one."""
    return all(isinstance(one.get("const"), float) or one in DOUBLE for one in kind)


__all__ = ["Checked", "ExprProblem", "check"]
