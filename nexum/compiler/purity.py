"""What a compute handler calls that would not give the same result twice.

Names are resolved as Python would: through the imports inside the function, then the globals of its module, so that
`from time import time as t; t()` is found. Helpers of the same module are followed. This is a lint, not a sandbox: what
another module does is not looked into, and the guard in the worker watches at run time.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from nexum.compiler.diagnostics import finding
from nexum.compiler.impure import ALLOWED, CHANCE, DATABASE, Ban, ban_on, is_value
from nexum.compiler.sources import Definition, definition, span
from nexum.errors import Diagnostic

_MODULE_FUNCTIONS = 64  # how many helpers are followed, at most


def impurities(node_id: str, handler: Callable[..., Any]) -> Iterator[Diagnostic]:
    """One diagnostic for each banned use in a handler and in the helpers of its module."""
    pending = [inspect.unwrap(handler)]
    seen: set[int] = set()
    while pending and len(seen) < _MODULE_FUNCTIONS:
        function = pending.pop(0)
        found = definition(function)
        if found is None or id(function) in seen:
            continue
        seen.add(id(function))
        reader = _Reader(found)
        for node, dotted, ban in reader.banned():
            yield _report(node_id, handler, function, found, node, dotted, ban)
        pending.extend(reader.helpers(function.__module__))


def _report(
    node_id: str, handler: object, function: Any, found: Definition, node: ast.expr, dotted: str, ban: Ban
) -> Diagnostic:
    written = ast.unparse(node)
    shown = written if len(written) <= 40 else dotted
    inside = "" if function is inspect.unwrap(handler) else f" (through `{function.__name__}`)"  # type: ignore[arg-type]
    return finding(
        "NX-B112",
        f"`{shown}` touches {ban.touches} in compute node `{node_id}`{inside}",
        span(found.source, node),
        fixes=(ban.mend, "declare the node as `read`, if it only asks, or as `effect`, if it changes something"),
    )


class _Reader:
    """One function's syntax tree, with what its names mean."""

    def __init__(self, found: Definition) -> None:
        body = found.node.body
        self._body: list[ast.AST] = list(body) if isinstance(body, list) else [body]
        self._globals = found.globals
        self._imports = dict(self._local_imports())
        self._locals = {a.arg for a in ast.walk(found.node.args) if isinstance(a, ast.arg)} | {
            node.id for node in self._walk() if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }

    def banned(self) -> Iterator[tuple[ast.expr, str, Ban]]:
        """Each banned expression, its dotted name, and the ban; of nested ones the innermost call."""
        reported: set[int] = set()
        for node in self._walk():
            found = self._verdict(node)
            if found is not None and id(found[0]) not in reported:
                reported.update(id(inner) for inner in ast.walk(found[0]))
                yield found

    def _verdict(self, node: ast.AST) -> tuple[ast.expr, str, Ban] | None:
        if isinstance(node, ast.Call):
            dotted = self._dotted(node.func)
            ban = ban_on(dotted) or (CHANCE if dotted in ALLOWED and _is_unseeded(node) else None)
            if ban is not None:
                inner = _receiver(node)
                return (inner and self._verdict(inner)) or (node, dotted, ban)
            return (node, ast.unparse(node.func), DATABASE) if self._is_manager(node.func) else None
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            dotted = self._dotted(node)
            ban = ban_on(dotted) if is_value(dotted) else None  # naming `datetime.now` is harmless, `os.environ` is not
            return (node, dotted, ban) if ban is not None else None
        return None

    def helpers(self, module: str) -> Iterator[Callable[..., Any]]:
        """The plain functions of the same module that are named here."""
        for node in self._walk():
            if isinstance(node, ast.Name) and node.id not in self._locals:
                value = inspect.unwrap(self._globals[node.id]) if callable(self._globals.get(node.id)) else None
                if inspect.isfunction(value) and value.__module__ == module:
                    yield value

    def _walk(self) -> Iterator[ast.AST]:
        pending = list(self._body)
        while pending:
            node = pending.pop(0)
            yield node
            pending = list(ast.iter_child_nodes(node)) + pending

    def _local_imports(self) -> Iterator[tuple[str, str]]:
        for node in self._walk():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module}.{alias.name}"

    def _dotted(self, node: ast.expr) -> str:
        """What an expression names, as `module.name`; empty when that cannot be told."""
        if isinstance(node, ast.Attribute):
            left = self._dotted(node.value)
            return f"{left}.{node.attr}" if left else ""
        if isinstance(node, ast.Call):  # an instance stands for its class: Path("x").open
            made = self._dotted(node.func)
            return "" if made in ALLOWED else made
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self._imports:
            return self._imports[node.id]
        if node.id in self._locals:
            return ""
        if node.id in self._globals:
            return _name_of(self._globals[node.id])
        return f"builtins.{node.id}" if hasattr(builtins, node.id) else ""

    def _is_manager(self, node: ast.AST) -> bool:
        """`Model.objects`: the manager of a Django model, or of anything that looks like one."""
        while isinstance(node, ast.Attribute):
            inner = node.value
            if isinstance(inner, ast.Name) and inner.id not in self._locals:
                owner = self._globals.get(inner.id)
                if hasattr(owner, "_default_manager") and node.attr in {"objects", "_default_manager"}:
                    return True
            node = inner.func if isinstance(inner, ast.Call) else inner
        return False


def _receiver(node: ast.Call) -> ast.Call | None:
    """The call whose result a method is called on: `datetime.now()` in `datetime.now().isoformat()`."""
    inner: ast.expr = node.func
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner if isinstance(inner, ast.Call) else None


def _is_unseeded(node: ast.Call) -> bool:
    return not node.args and not node.keywords


_KNOWN_AS = {  # where something lives -> the name that people know it by
    "_io": "io",
    "posix": "os",
    "nt": "os",
    "_random": "random",
    "pathlib._local": "pathlib",
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "os._Environ": "os.environ",
    "django.conf.LazySettings": "django.conf.settings",
}


def _name_of(value: object) -> str:
    """The dotted name by which a module, class, function, bound method, or the class of an instance is known."""
    if inspect.ismodule(value):
        return value.__name__
    owner = getattr(value, "__self__", None)  # `random.random` is a method of a hidden instance
    module = str(getattr(value, "__module__", None) or getattr(type(owner), "__module__", ""))
    name: str = getattr(value, "__qualname__", "")
    if not name:
        module, name = type(value).__module__, type(value).__qualname__
    dotted = f"{_KNOWN_AS.get(module, module)}.{name}"
    return _KNOWN_AS.get(dotted, dotted)
