"""The names that code takes from its module: what Python would look up among the globals.

Parameters, variables, and what is imported or defined inside a function are its own; a comprehension's variables are the
comprehension's. A parameter that is called like a node of the workflow is therefore not that node's function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from nexum.compiler.sources import parameters

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def free_names(node: ast.AST, bound: frozenset[str] = frozenset(), *, in_class: bool = False) -> Iterator[str]:
    """The global names that a piece of code uses; annotations count only where they are the fields of a class."""
    if isinstance(node, ast.Name):
        if node.id not in bound:
            yield node.id
    elif isinstance(node, _FUNCTIONS):
        outside = [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        if not isinstance(node, ast.Lambda):
            outside += node.decorator_list
        yield from _all(outside, bound)
        yield from _all(body, bound | {argument.arg for argument in parameters(node)} | set(_own(body)))
    elif isinstance(node, _COMPREHENSIONS):
        targets = {name for part in node.generators for name in _own([part.target])}
        yield from _all(ast.iter_child_nodes(node), bound | targets)
    else:
        skipped = {"annotation", "returns"} if not in_class else {"returns"}
        for field, value in ast.iter_fields(node):
            if field not in skipped:
                children = value if isinstance(value, list) else [value]
                in_body = isinstance(node, ast.ClassDef)
                yield from _all((child for child in children if isinstance(child, ast.AST)), bound, in_class=in_body)


def _all(nodes: Iterable[ast.AST], bound: frozenset[str], *, in_class: bool = False) -> Iterator[str]:
    for node in nodes:
        yield from free_names(node, bound, in_class=in_class)


def _own(body: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind in their own scope."""
    pending = list(body)
    outer: set[str] = set()
    found: list[str] = []
    while pending:
        node = pending.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.ExceptHandler(name=str(name)):
                found.append(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
                continue  # what is inside is bound there
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found.extend(alias.asname or alias.name.partition(".")[0] for alias in names)
            case ast.Global(names=declared):
                outer.update(declared)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.append(name)
        pending.extend(ast.iter_child_nodes(node))
    return iter([name for name in found if name not in outer])
