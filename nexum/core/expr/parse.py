"""From text to tree: a Pratt parser with hard bounds on length, nesting and size."""

from __future__ import annotations

from typing import Final

from nexum.core.expr.build import all_of, any_of
from nexum.core.expr.spell import OR, TERNARY, precedence
from nexum.core.expr.syntax import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    LOGIC,
    MAX_DEPTH,
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
    Name,
    Select,
    Ternary,
    Unary,
)
from nexum.core.expr.tokens import Token, tokens
from nexum.core.schema.paths import nearest

_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_INFIX: Final = COMPARISONS | ARITHMETIC | LOGIC
_PYTHON_ONLY: Final = frozenset({"True", "False", "None", "not"})
_PYTHON: Final = {"and": "&&", "or": "||", "not": "!", "is": "==", "True": "true", "False": "false", "None": "null"}


def parse(text: str) -> Expr:
    """Read a condition.

    Raises `ExprError` with the offset of what is wrong: bad syntax, an unknown function, or a text of more than 4,096
    characters, 512 parts or 32 levels.
    """
    if len(text) > MAX_TEXT:
        raise ExprError(f"the condition is {len(text)} characters long; at most {MAX_TEXT} are allowed", MAX_TEXT)
    parser = _Parser(tokens(text))
    try:
        expr = parser.expression(TERNARY)
    except ExprError as error:
        if error.offset is None:  # the tree refused; the parser knows where it was
            raise ExprError(error.message, parser.offset, error.did_you_mean) from None
        raise
    if parser.next.kind != "end":
        raise parser.unexpected()
    return expr


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._nesting = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    @property
    def offset(self) -> int:
        """Where the last token that was taken begins."""
        return self._tokens[max(self._at - 1, 0)].offset

    def expression(self, level: int) -> Expr:
        """Everything from here on that binds at least as tightly as `level`."""
        self._nesting += 1
        if self._nesting > 2 * MAX_DEPTH:  # brackets make no node of their own; this bounds the parser's recursion
            raise ExprError(f"the condition is nested deeper than {MAX_DEPTH} levels", self.next.offset)
        left = self._unary()
        while (op := self._infix()) and precedence(op) >= level:
            left = self._binary(op, left)
        if level == TERNARY and self._accept("?"):
            left = self._ternary(left)
        self._nesting -= 1
        return left

    def unexpected(self) -> ExprError:
        token = self.next
        if token.kind == "end":
            return ExprError("the condition ends where something is missing", token.offset)
        hint = _PYTHON.get(str(token.value)) if token.kind == "name" else None
        return ExprError(f"unexpected {token.value!r}" + (f"; write {hint}" if hint else ""), token.offset, hint)

    def _infix(self) -> str:
        token = self.next
        if token.kind == "op" or (token.kind == "name" and token.value == "in"):
            return str(token.value) if token.value in _INFIX else ""
        return ""

    def _binary(self, op: str, left: Expr) -> Expr:
        level = precedence(op) + 1
        operands = [left]
        while self._infix() == op and (len(operands) == 1 or op in LOGIC):
            self._take()
            operands.append(self.expression(level))
        if op in LOGIC:
            return all_of(*operands) if op == "&&" else any_of(*operands)
        return Binary(op, *operands)

    def _ternary(self, test: Expr) -> Expr:
        then = self.expression(OR)
        self._expect(":")
        return Ternary(test, then, self.expression(TERNARY))

    def _unary(self) -> Expr:
        ops: list[Token] = []
        while self.next.kind == "op" and self.next.value in ("!", "-"):
            ops.append(self._take())
        negative = bool(ops) and ops[-1].value == "-" and self.next.kind in ("int", "float")
        if negative:
            ops.pop()
        expr = self._postfix(self._atom(negative=negative))
        for op in reversed(ops):
            expr = Unary(str(op.value), expr)
        return expr

    def _atom(self, *, negative: bool) -> Expr:
        token = self.next
        if token.kind in ("int", "float"):
            self._take()
            assert not isinstance(token.value, str)
            return Literal(-token.value if negative else token.value)
        if token.kind == "string":
            self._take()
            return Literal(token.value)
        if token.kind == "name":
            return self._named()
        if self._accept("("):
            expr = self.expression(TERNARY)
            self._expect(")")
            return expr
        if self._accept("["):
            return ListLiteral(self._until("]"))
        raise self.unexpected()

    def _named(self) -> Expr:
        token = self._take()
        name = str(token.value)
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if self._accept("("):
            return self._call(token, ())
        if name in NOT_NAMES or name in _PYTHON_ONLY:
            self._at -= 1
            raise self.unexpected()
        return Name(name)

    def _postfix(self, expr: Expr) -> Expr:
        while True:
            if self._accept("."):
                expr = self._member(expr)
            elif self._accept("["):
                expr = Index(expr, self.expression(TERNARY))
                self._expect("]")
            else:
                return expr

    def _member(self, operand: Expr) -> Expr:
        token = self.next
        if token.kind not in ("name", "quoted") or (token.kind == "name" and token.value in NOT_NAMES):
            raise self.unexpected()
        self._take()
        if token.kind == "name" and self._accept("("):
            return self._call(token, (operand,))
        return Select(operand, str(token.value))

    def _call(self, token: Token, receiver: tuple[Expr, ...]) -> Expr:
        name = str(token.value)
        args = (*receiver, *self._until(")"))
        if name not in FUNCTIONS:
            near = nearest(name, FUNCTIONS)
            known = ", ".join(FUNCTIONS)
            raise ExprError(f"there is no function {name}; there are {known}", token.offset, near)
        if name in METHODS and not receiver:
            raise ExprError(f"{name} is written after its string: x.{name}(y)", token.offset)
        if name in ("has", "is_true") and receiver:
            raise ExprError(f"{name} is written before its operand: {name}(x)", token.offset)
        return Call(name, args)

    def _until(self, closing: str) -> tuple[Expr, ...]:
        found: list[Expr] = []
        while not self._accept(closing):
            if found:
                self._expect(",")
            found.append(self.expression(TERNARY))
        return tuple(found)

    def _take(self) -> Token:
        token = self.next
        self._at += 1
        return token

    def _accept(self, op: str) -> bool:
        if self.next.kind == "op" and self.next.value == op:
            self._at += 1
            return True
        return False

    def _expect(self, op: str) -> None:
        if not self._accept(op):
            error = self.unexpected()
            raise ExprError(f"{error.message} (expected {op!r})", error.offset, error.did_you_mean)
