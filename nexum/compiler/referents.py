"""What the names in a function stand for, followed as Python would: its imports, its module, and plain assignments.

Only what is already there is looked at: modules that somebody imported, and the values in them, read without running any
code of theirs. What cannot be told is `UNKNOWN`, or an empty name.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from nexum.compiler.impure import ALLOWED, ban_on
from nexum.compiler.sources import Definition, parameters

UNKNOWN: Final = object()

_STATIC = {"self": False, "cls": True}  # the names that a method gives its first parameter


class Referents:
    """One function's syntax tree, with what its names mean. `owner` is the class whose method it is, if it is one."""

    def __init__(self, function: Callable[..., Any], found: Definition, owner: type | None) -> None:
        body = found.node.body
        self._body: list[ast.AST] = list(body) if isinstance(body, list) else [body]
        self._globals = found.globals
        self._enclosing = _enclosing(function)
        self._owner = owner
        self._imports = dict(self._local_imports())
        self._parameters = {argument.arg: argument.annotation for argument in parameters(found.node)}
        self._bindings = self._local_bindings()

    def walk(self) -> Iterator[ast.AST]:
        """Every node of the body, outer ones first."""
        pending = list(self._body)
        while pending:
            node = pending.pop(0)
            yield node
            pending = list(ast.iter_child_nodes(node)) + pending

    def is_local(self, name: str) -> bool:
        """Whether a name is a parameter or a variable of the function."""
        return name in self._parameters or name in self._bindings

    def names(self, node: ast.expr) -> Iterator[str]:
        """What an expression is called: as it is written, then as the thing behind it is known."""
        written = self.dotted(node)
        if written:
            yield written
        value = self.value(node)
        if inspect.isroutine(value):
            yield name_of(value)

    def dotted(self, node: ast.expr) -> str:
        """What an expression names, as `module.name`; empty when that cannot be told."""
        if isinstance(node, ast.Attribute):
            left = self.dotted(node.value)
            return f"{left}.{node.attr}" if left else ""
        if isinstance(node, ast.Call):  # an instance stands for its class: Path("x").open
            made = self.dotted(node.func)
            return "" if made in ALLOWED else made
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self._imports:
            return self._imports[node.id]
        if self.is_local(node.id):
            return self._dotted_binding(node.id)
        value = self.value(node)
        return "" if value is UNKNOWN else name_of(value)

    def value(self, node: ast.expr) -> Any:
        """The module, class, function or constant that an expression names, or `UNKNOWN`."""
        if isinstance(node, ast.Attribute):
            return _member(self.value(node.value), node.attr)
        if not isinstance(node, ast.Name):
            return UNKNOWN
        if node.id in self._imports:
            return _imported(self._imports[node.id])
        if node.id in self._parameters:
            return self._owner if self._owner and _STATIC.get(node.id) else UNKNOWN
        if node.id in self._bindings:
            bound = self._bindings[node.id]
            return self.value(bound) if isinstance(bound, ast.Name | ast.Attribute) else UNKNOWN
        for scope in (self._enclosing, self._globals, vars(builtins)):
            if node.id in scope:
                return scope[node.id]
        return UNKNOWN

    def kind(self, node: ast.expr) -> type | None:
        """The class of what an expression gives: of a call of that class, of a parameter, of a value of the module."""
        if isinstance(node, ast.Call):
            made = self.value(node.func)
            if made is super:
                return self._owner
            return made if isinstance(made, type) else None
        if isinstance(node, ast.Name) and node.id in self._parameters:
            annotation = self._parameters[node.id]
            return self._owner if self._owner and node.id == "self" else self._annotated(annotation)
        if isinstance(node, ast.Name) and isinstance(bound := self._bindings.get(node.id), ast.expr):
            return self.kind(bound)
        value = self.value(node)
        if value is UNKNOWN or isinstance(value, type) or inspect.ismodule(value) or inspect.isroutine(value):
            return None
        return type(value)

    def classes(self) -> Iterator[type]:
        """The classes that are named in the function, annotations of parameters included."""
        annotations = [_read(annotation) for annotation in self._parameters.values() if annotation is not None]
        for node in (*(node for annotation in annotations for node in ast.walk(annotation)), *self.walk()):
            if isinstance(node, ast.Name):
                value = self.value(node)
                yield from [value] if isinstance(value, type) else []

    def _annotated(self, annotation: ast.expr | None) -> type | None:
        """The first class of an annotation: `Claim`, `"Claim"`, `Claim | None`."""
        annotation = _read(annotation) if annotation is not None else None
        if isinstance(annotation, ast.BinOp):
            return self._annotated(annotation.left) or self._annotated(annotation.right)
        value = self.value(annotation) if annotation is not None else UNKNOWN
        return value if isinstance(value, type) else None

    def _dotted_binding(self, name: str) -> str:
        """A variable that is bound once, by its value: `now = datetime.now`, `path = Path("x")`."""
        bound = self._bindings.get(name)
        if isinstance(bound, ast.Call) and ban_on(self.dotted(bound.func)):
            return ""  # reported where it is called
        return self.dotted(bound) if isinstance(bound, ast.expr) else ""

    def _local_imports(self) -> Iterator[tuple[str, str]]:
        for node in self.walk():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
            elif isinstance(node, ast.ImportFrom):
                source = self._source(node)
                for alias in node.names:
                    yield alias.asname or alias.name, f"{source}.{alias.name}"

    def _source(self, node: ast.ImportFrom) -> str:
        """The module that a `from` names; dots in front count upwards from the function's own package."""
        if not node.level:
            return node.module or ""
        package = str(self._globals.get("__package__") or "").split(".")
        above = package[: len(package) - node.level + 1]
        return ".".join([*above, *([node.module] if node.module else [])])

    def _local_bindings(self) -> dict[str, ast.expr | None]:
        """The variables with the expression that they are bound to; None when there are several, or it is no assignment."""
        values: dict[int, ast.expr] = {}
        found: dict[str, ast.expr | None] = {}
        for node in self.walk():
            match node:
                case ast.Assign(targets=[ast.Name() as target], value=value):
                    values[id(target)] = value
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                    values[id(target)] = value
                case ast.NamedExpr(target=target, value=value):
                    values[id(target)] = value
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found[name] = None
                case ast.Name(id=name, ctx=ast.Store()):
                    found[name] = None if name in found else values.get(id(node))
        return {name: value if _is_earlier(value, name, list(found)) else None for name, value in found.items()}


def _read(annotation: ast.expr) -> ast.expr:
    """An annotation, taken out of its quotes."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except SyntaxError:  # reported by whoever resolves annotations
            return annotation
    return annotation


def _is_earlier(value: ast.expr | None, name: str, order: list[str]) -> bool:
    """Whether a variable is bound to something that names only variables before it; else names would go in circles."""
    named = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)} if value is not None else set()
    return not named & set(order[order.index(name) :])


def _enclosing(function: Callable[..., Any]) -> dict[str, Any]:
    """The variables of the functions around this one that it uses, as far as they have a value yet."""
    cells = getattr(function, "__closure__", None) or ()
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # still empty
            continue
    return found


def _imported(dotted: str) -> Any:
    """What a dotted name means, if its module was imported by somebody."""
    if dotted in sys.modules:
        return sys.modules[dotted]
    above, _, name = dotted.rpartition(".")
    return _member(_imported(above), name) if above else UNKNOWN


def _member(holder: Any, name: str) -> Any:
    """An attribute of a module or class as it is kept there; no code of theirs runs."""
    if inspect.ismodule(holder):
        return vars(holder).get(name, sys.modules.get(f"{holder.__name__}.{name}", UNKNOWN))
    if not isinstance(holder, type):
        return UNKNOWN
    found = inspect.getattr_static(holder, name, UNKNOWN)
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found


_KNOWN_AS = {  # where something lives -> the name that people know it by
    "_io": "io",
    "posix": "os",
    "nt": "os",
    "genericpath": "os.path",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "_random": "random",
    "pathlib._local": "pathlib",
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "os._Environ": "os.environ",
    "django.conf.LazySettings": "django.conf.settings",
}


def name_of(value: object) -> str:
    """The dotted name by which a module, class, function, bound method, or the class of an instance is known."""
    if inspect.ismodule(value):
        return _KNOWN_AS.get(value.__name__, value.__name__)
    owner = getattr(value, "__self__", None)  # a hidden instance behind `random.random`, a class behind `datetime.now`
    holder = owner if isinstance(owner, type) else type(owner)
    module = str(getattr(value, "__module__", None) or getattr(holder, "__module__", ""))
    name: str = getattr(value, "__qualname__", "")
    if not name:
        module, name = type(value).__module__, type(value).__qualname__
    dotted = f"{_KNOWN_AS.get(module, module)}.{name}"
    return _KNOWN_AS.get(dotted, dotted)
