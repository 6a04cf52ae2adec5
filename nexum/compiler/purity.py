"""What a compute handler calls that would not give the same result twice.

Names are resolved as Python would (`referents`), so that `from time import time as t; t()`, `models.Order.objects.count()`
and a `now = datetime.now` at the top of the module are found. The code of the handler's own module is followed: functions
that it names, and methods and properties of classes that it makes, is given, or names. This is a lint, not a sandbox: what
another module does is not looked into, and the guard in the worker watches files, sockets, processes and Django's queries
at run time.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from nexum.compiler.diagnostics import finding
from nexum.compiler.impure import ALLOWED, CHANCE, DATABASE, Ban, ban_on, is_value
from nexum.compiler.referents import UNKNOWN, Referents
from nexum.compiler.sources import Definition, definition, span
from nexum.errors import Diagnostic

_MODULE_FUNCTIONS = 64  # how many helpers are followed, at most

Followed = tuple[Callable[..., Any], type | None]  # a function of the module, and the class whose method it is

_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_QUERIES = frozenset(  # methods of a model's instance that ask or change the database
    {
        *("save", "asave", "save_base", "delete", "adelete", "refresh_from_db", "arefresh_from_db"),
        *("full_clean", "validate_unique", "validate_constraints"),
    }
)
_MAKING = ("__init__", "__post_init__", "model_post_init")  # what a call of a class runs


def impurities(node_id: str, handler: Callable[..., Any]) -> Iterator[Diagnostic]:
    """One diagnostic for each banned use in a handler and in the code of its module that it uses."""
    first = inspect.unwrap(handler)
    pending: list[Followed] = [(first, None)]
    seen: set[int] = set()
    while pending and len(seen) < _MODULE_FUNCTIONS:
        function, owner = pending.pop(0)
        found = definition(function)
        if found is None or id(function) in seen:
            continue
        seen.add(id(function))
        reader = _Reader(Referents(function, found, owner))
        for node, dotted, ban in reader.banned():
            through = "" if function is first else function.__qualname__.rpartition("<locals>.")[2]
            yield _report(node_id, found, node, dotted, ban, through)
        pending.extend(reader.helpers(function.__module__))


def _report(node_id: str, found: Definition, node: ast.expr, dotted: str, ban: Ban, through: str) -> Diagnostic:
    written = ast.unparse(node)
    shown = written if len(written) <= 40 else dotted
    inside = f" (through `{through}`)" if through else ""
    return finding(
        "NX-B112",
        f"`{shown}` touches {ban.touches} in compute node `{node_id}`{inside}",
        span(found.source, node),
        fixes=(ban.mend, "declare the node as `read`, if it only asks, or as `effect`, if it changes something"),
    )


class _Reader:
    """One function: what it uses that is banned, and which functions of its module it may call."""

    def __init__(self, referents: Referents) -> None:
        self._referents = referents

    def banned(self) -> Iterator[tuple[ast.expr, str, Ban]]:
        """Each banned expression, its dotted name, and the ban; of nested ones the innermost call."""
        reported: set[int] = set()
        for node in self._referents.walk():
            found = self._verdict(node)
            if found is not None and id(found[0]) not in reported:
                reported.update(id(inner) for inner in ast.walk(found[0]))
                yield found

    def _verdict(self, node: ast.AST) -> tuple[ast.expr, str, Ban] | None:
        if isinstance(node, ast.Call):
            dotted, ban = self._ban(node)
            if ban is not None:
                inner = _receiver(node)
                return (inner and self._verdict(inner)) or (node, dotted, ban)
            return (node, ast.unparse(node.func), DATABASE) if self._asks_a_model(node.func) else None
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and self._is_manager(node):
            return node, ast.unparse(node), DATABASE
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            if isinstance(node, ast.Name) and self._referents.is_local(node.id):
                return None
            dotted = self._referents.dotted(node)
            ban = ban_on(dotted) if is_value(dotted) else None  # naming `datetime.now` is harmless, `os.environ` is not
            return (node, dotted, ban) if ban is not None else None
        return None

    def _ban(self, call: ast.Call) -> tuple[str, Ban | None]:
        for dotted in self._referents.names(call.func):
            ban = ban_on(dotted) or (CHANCE if dotted in ALLOWED and _is_unseeded(call) else None)
            if ban is not None:
                return dotted, ban
        return "", None

    def _asks_a_model(self, called: ast.expr) -> bool:
        """Whether a call goes through a manager, or is `save`, `delete` or such of a Django model's instance."""
        if isinstance(called, ast.Attribute) and called.attr in _QUERIES:
            known = self._referents.value(called.value)
            if _is_model(known) or _is_model(self._referents.kind(called.value)):
                return True
        node = called
        while isinstance(node, ast.Attribute | ast.Call):
            if isinstance(node, ast.Attribute) and self._is_manager(node):
                return True
            node = node.value if isinstance(node, ast.Attribute) else node.func
        return False

    def _is_manager(self, node: ast.Attribute) -> bool:
        """`Model.objects` or another manager of a Django model, or of anything that looks like one."""
        owner = self._referents.value(node.value)
        if owner is UNKNOWN:  # a module that only the function imports, and nobody has yet
            return node.attr == "objects" and "models" in self._referents.dotted(node.value).split(".")[:-1]
        if not _is_model(owner):
            return False
        return node.attr in _MANAGERS or type(vars(owner).get(node.attr)).__name__ == "ManagerDescriptor"

    def helpers(self, module: str) -> Iterator[Followed]:
        """The functions of the same module that may be called here: by name, as methods, or by making an instance."""
        mine = [kind for kind in self._referents.classes() if kind.__module__ == module]
        for node in self._referents.walk():
            if isinstance(node, ast.Name):
                value = self._referents.value(node)
                yield from _plain(value, module)
            elif isinstance(node, ast.Attribute):
                kinds = self._holders(node.value, mine)
                above = _is_super(node.value)
                yield from _methods(kinds, node.attr, module, above=above)
            elif isinstance(node, ast.Call):
                made = self._referents.value(node.func)
                if isinstance(made, type):
                    for name in _MAKING:
                        yield from _methods([made], name, module)
                else:
                    kind = self._referents.kind(node.func)
                    yield from _methods([kind] if kind else [], "__call__", module)

    def _holders(self, receiver: ast.expr, mine: list[type]) -> list[type]:
        """The classes that an attribute may belong to; those in sight, when it cannot be told."""
        value = self._referents.value(receiver)
        if isinstance(value, type):
            return [value]
        kind = self._referents.kind(receiver)
        if kind is not None:
            return [kind]
        is_literal = not isinstance(receiver, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Await)
        return mine if value is UNKNOWN and not is_literal and not self._referents.dotted(receiver) else []


def _plain(value: Any, module: str) -> Iterator[Followed]:
    if callable(value) and not isinstance(value, type):
        function = inspect.unwrap(value)
        if inspect.isfunction(function) and function.__module__ == module:
            yield function, None


def _methods(kinds: list[type], name: str, module: str, *, above: bool = False) -> Iterator[Followed]:
    """The code behind an attribute, as far as it stands in the module; with `above` in every class that has it."""
    for kind in kinds:
        for place in kind.__mro__:
            if name in vars(place):
                function = _function_of(vars(place)[name])
                if inspect.isfunction(function) and function.__module__ == module:
                    yield function, kind
                if not above:
                    break


def _function_of(member: Any) -> Any:
    """The function behind a method, a static or class method, or a property."""
    match member:
        case staticmethod() | classmethod():
            return inspect.unwrap(member.__func__)
        case property():
            return inspect.unwrap(member.fget) if member.fget else None
        case functools.cached_property():
            return inspect.unwrap(member.func)
    return inspect.unwrap(member) if callable(member) else None


def _is_super(receiver: ast.expr) -> bool:
    return isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name) and receiver.func.id == "super"


def _is_model(value: object) -> bool:
    return isinstance(value, type) and hasattr(value, "_default_manager")


def _receiver(node: ast.Call) -> ast.Call | None:
    """The call whose result a method is called on: `datetime.now()` in `datetime.now().isoformat()`."""
    inner: ast.expr = node.func
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner if isinstance(inner, ast.Call) else None


def _is_unseeded(node: ast.Call) -> bool:
    return not node.args and not node.keywords
