"""The fingerprint of a handler: the same for the same code, whatever its layout, comments, docstrings or annotations.

It covers the handler and everything that it uses, directly or not, of its own module: functions, classes, constants and
the imports behind names. It is computed from the syntax tree alone, spelled in our own way, so that neither the Python
version nor the process that computes it matters. Code that cannot be read exactly (a lambda, a closure over variables, a
builtin) has no fingerprint: better none than a wrong one.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from nexum.compiler.scopes import free_names
from nexum.compiler.sources import Definition, definition
from nexum.core.canonical import canonical_bytes

PREIMAGE = b"nexum-code/1\n"

Statements = dict[str, list[ast.stmt]]

_SILENT = frozenset({"ctx", "kind", "type_comment", "type_params", "lineno", "col_offset"})


def fingerprint(handler: Callable[..., Any], declared_at: int = 0) -> str:
    """`sha256:` of the handler's code; empty when it cannot be told.

    The decorator at the source line `declared_at` is the one that declared the node and does not count.
    """
    if why_not(handler):
        return ""
    found = definition(handler)
    assert found is not None
    module = _module_statements(found.source.tree)
    own = _without(found, declared_at)
    parts: dict[str, Any] = {"": _spelled(own)}
    pending = [name for name in free_names(own) if name in module]
    while pending:
        name = pending.pop()
        if name in parts:
            continue
        parts[name] = [_spelled_statement(statement, name) for statement in module[name]]
        pending.extend(used for statement in module[name] for used in free_names(statement) if used in module)
    return "sha256:" + hashlib.sha256(PREIMAGE + canonical_bytes(parts)).hexdigest()


def why_not(handler: Callable[..., Any]) -> str:
    """Why a handler has no fingerprint; empty when it has one."""
    function = inspect.unwrap(handler)
    if not inspect.isfunction(function):
        return f"it is no plain function but a {type(function).__name__}"
    if function.__name__ == "<lambda>":
        return "it is a lambda"
    if function.__code__.co_freevars:
        return f"it closes over {', '.join(function.__code__.co_freevars)}"
    if definition(handler) is None:
        return "its source is not at hand"
    return ""


def _without(found: Definition, declared_at: int) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The handler without the decorator that declared it and those above it, which never see a call."""
    node = found.node
    assert not isinstance(node, ast.Lambda)
    ours = [i for i, d in enumerate(node.decorator_list) if d.lineno <= declared_at <= (d.end_lineno or d.lineno)]
    kept = node.decorator_list[ours[-1] + 1 :] if ours else node.decorator_list
    return _copied(node, decorator_list=kept)


def _copied(node: ast.FunctionDef | ast.AsyncFunctionDef, **changed: Any) -> ast.FunctionDef | ast.AsyncFunctionDef:
    values = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    return type(node)(**{**values, **changed}, lineno=node.lineno, col_offset=node.col_offset)


def _module_statements(tree: ast.Module) -> Statements:
    """The statements of a module by the name that they bind; also those inside `if` and `try` blocks."""
    bound: Statements = {}
    for statement in _flat(tree.body):
        for name in _bound_by(statement):
            bound.setdefault(name, []).append(statement)
    return bound


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for inner in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(statement, inner, []))
            for handler in getattr(statement, "handlers", []):
                yield from _flat(handler.body)
        else:
            yield statement


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        case _:
            return


def _is_annotation(node: ast.AST, field: str, *, in_class: bool) -> bool:
    """Annotations of functions and variables; those directly in a class body are its fields, and count."""
    if field == "returns":
        return True
    return field == "annotation" and (isinstance(node, ast.arg) or not in_class)


def _spelled_statement(statement: ast.stmt, name: str) -> Any:
    """One module-level statement; of an import only what stands behind the name."""
    if isinstance(statement, ast.Import):
        return [
            ["import", alias.name]
            for alias in statement.names
            if name == (alias.asname or alias.name.partition(".")[0])
        ]
    if isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        return [["from", module, alias.name] for alias in statement.names if name == (alias.asname or alias.name)]
    return _spelled(statement)


def _spelled(node: Any, *, in_class: bool = False) -> Any:
    """A syntax node as JSON: its type and its fields, empty ones left out."""
    if isinstance(node, list):
        return [_spelled(item, in_class=in_class) for item in node]
    if isinstance(node, ast.Constant):  # which characters `repr` escapes depends on the Python, `ascii` escapes all
        return ["Constant", type(node.value).__name__, ascii(node.value)]
    if isinstance(node, ast.AnnAssign) and not in_class:  # `x: int = 1` does what `x = 1` does
        return ["Assign", {"targets": [_spelled(node.target)], "value": _spelled(node.value)}]
    if not isinstance(node, ast.AST):
        return node if node is None or isinstance(node, bool | int | str) else repr(node)
    spelled: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if name in _SILENT or value is None or value == [] or _is_annotation(node, name, in_class=in_class):
            continue
        counted = _counted(node, name, value)
        spelled[name] = _spelled(counted, in_class=isinstance(node, ast.ClassDef) and name == "body")
    return [type(node).__name__, spelled]


def _counted(node: ast.AST, field: str, value: Any) -> Any:
    """What counts of a field: a body without its docstring; of an f-string no empty text, which only Python 3.12 has."""
    if field == "body":
        return _undocumented(node, value)
    if isinstance(node, ast.JoinedStr):
        return [part for part in value if not (isinstance(part, ast.Constant) and part.value == "")]
    return value


def _undocumented(node: ast.AST, body: Any) -> Any:
    """A body without its docstring."""
    documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if documented and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[1:] if isinstance(body[0].value.value, str) else body
    return body
