"""Which fields a handler reads of each parameter, by the attributes that stand in its code.

`purchase.amount` reads `amount`; `purchase.seller.city` reads `seller.city`. A parameter that is used in any other way
(passed on, returned, printed, compared, assigned) escapes, and all of it counts as read. Asking only whether it is there
(`purchase is None`, `if purchase:`) reads nothing.
"""

from __future__ import annotations

import ast
from typing import Any

from nexum.compiler.fields import fields_of
from nexum.compiler.sources import Function

_SEE_ALL = frozenset({"locals", "vars", "eval", "exec", "globals"})


def reads(function: Function, parameter: str, kind: Any) -> tuple[str, ...] | None:
    """The field paths that are read, sorted, by their JSON names; None when the parameter escapes."""
    if not fields_of(kind):
        return None
    finder = _Finder(parameter, kind)
    for statement in function.body if isinstance(function.body, list) else [function.body]:
        finder.visit(statement)
    if finder.escapes:
        return None
    return tuple(sorted(path for path in finder.paths if not _is_covered(path, finder.paths)))


def _is_covered(path: str, paths: set[str]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:end]) in paths for end in range(1, len(parts)))


class _Finder(ast.NodeVisitor):
    def __init__(self, parameter: str, kind: Any) -> None:
        self.parameter = parameter
        self.kind = kind
        self.paths: set[str] = set()
        self.escapes = False

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain: list[ast.Attribute] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner)
            inner = inner.value
        if not (isinstance(inner, ast.Name) and inner.id == self.parameter):
            self.visit(inner)
            return
        path: list[str] = []
        kind = self.kind
        for part in chain:
            fields = fields_of(kind)
            if not fields and path:  # a method of a scalar such as `.upper()`: the field itself was read
                break
            if not fields or part.attr not in fields or not isinstance(part.ctx, ast.Load):
                if not path:
                    self.escapes = True  # a method or property of the model sees all of it
                    return
                break
            name, kind = fields[part.attr]
            path.append(name)
        self.paths.add(".".join(path))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id == self.parameter or node.id in _SEE_ALL:
            self.escapes = True

    def visit_Compare(self, node: ast.Compare) -> None:
        if self._is_presence(node):
            return
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._test(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._test(node)

    def visit_While(self, node: ast.While) -> None:
        self._test(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        self._test(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if not (isinstance(node.op, ast.Not) and self._is_it(node.operand)):
            self.generic_visit(node)

    def _test(self, node: ast.If | ast.IfExp | ast.While | ast.Assert) -> None:
        for name, value in ast.iter_fields(node):
            if name == "test" and self._is_it(value):
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    self.visit(item)

    def _is_presence(self, node: ast.Compare) -> bool:
        against_none = all(isinstance(item, ast.Constant) and item.value is None for item in node.comparators)
        return against_none and all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops) and self._is_it(node.left)

    def _is_it(self, node: object) -> bool:
        return isinstance(node, ast.Name) and node.id == self.parameter
