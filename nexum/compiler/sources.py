"""The source of handlers as syntax trees, and the place of everything in them."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nexum.compiler.declared import Declared, Place

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Source:
    """One file of user code. `tree` has no body when the text does not parse or is not there.

    `functions` finds the functions of the file by name and first line, `calls` the calls of a method by its name.
    """

    file: str
    lines: tuple[str, ...]
    tree: ast.Module
    functions: dict[tuple[str, int], list[Function]]
    calls: dict[str, list[ast.Call]]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one source line; columns count from 1, 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0
    end_column: int = 0
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function found in its source. `globals` are the names it sees at run time."""

    source: Source
    node: Function
    globals: dict[str, Any] = field(compare=False, repr=False)


def source_of(file: str) -> Source:
    """The parsed source of a file, notebook cell or doctest."""
    linecache.checkcache(file)
    return _parsed(file, "".join(linecache.getlines(file)))


@lru_cache(maxsize=256)
def _parsed(file: str, text: str) -> Source:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # not Python, or changed since it was imported: positions then stay unknown
        tree = ast.Module(body=[], type_ignores=[])
    source = Source(file, tuple(text.splitlines()), tree, {}, {})
    for node in ast.walk(tree):
        if isinstance(node, Function):
            source.functions.setdefault(_identity(node), []).append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            source.calls.setdefault(node.func.attr, []).append(node)
    return source


def definition(handler: Callable[..., Any]) -> Definition | None:
    """Where a plain function or lambda was written; None for anything else, and when the source is not at hand."""
    function = inspect.unwrap(handler)
    if not inspect.isfunction(function):
        return None
    code = function.__code__
    source = source_of(code.co_filename)
    found = source.functions.get((code.co_name, code.co_firstlineno), [])
    if len(found) != 1:  # two lambdas in one line cannot be told apart
        return None
    return Definition(source, found[0], function.__globals__)


def _identity(node: Function) -> tuple[str, int]:
    """The name and the first line of a function, as its code object has them: a decorator's line comes first."""
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    return node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def span(source: Source, node: ast.AST) -> Span:
    """Where a syntax node stands."""
    line = getattr(node, "lineno", 0)
    text = source.lines[line - 1] if 0 < line <= len(source.lines) else ""
    start = len(text.encode()[: getattr(node, "col_offset", 0)].decode(errors="replace"))
    if getattr(node, "end_lineno", line) == line:
        end = len(text.encode()[: getattr(node, "end_col_offset", 0)].decode(errors="replace"))
    else:
        end = len(text.rstrip())
    return Span(source.file, line, start + 1, max(end, start + 1) + 1, text)


def line_span(place: Place) -> Span:
    """A whole source line, without the white space before it."""
    lines = source_of(place.file).lines
    text = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    start = len(text) - len(text.lstrip())
    return Span(place.file, place.line, start + 1, len(text.rstrip()) + 1, text)


def name_span(found: Definition, declared: Declared) -> Span:
    """The name of a handler in its `def` line."""
    node = found.node
    if isinstance(node, ast.Lambda):
        return span(found.source, node)
    text = found.source.lines[node.lineno - 1]
    start = text.find(node.name)
    return Span(found.source.file, node.lineno, start + 1, start + 1 + len(node.name), text)


def handler_span(declared: Declared) -> Span:
    """Where the handler of a node is defined, or, when that is unknown, where the node was declared."""
    found = definition(declared.handler)
    return name_span(found, declared) if found is not None else line_span(declared.place)


def parameter_span(declared: Declared, name: str) -> Span:
    """A parameter in the handler's signature."""
    found = definition(declared.handler)
    if found is not None:
        for argument in parameters(found.node):
            if argument.arg == name:
                return span(found.source, argument)
    return handler_span(declared)


def parameters(node: Function) -> Iterator[ast.arg]:
    """Every parameter of a function, in order."""
    spec = node.args
    yield from (*spec.posonlyargs, *spec.args)
    if spec.vararg:
        yield spec.vararg
    yield from spec.kwonlyargs
    if spec.kwarg:
        yield spec.kwarg


def option_span(declared: Declared, option: str) -> Span:
    """An option such as `when=` in the call that declared a node."""
    source = source_of(declared.place.file)
    for call in _calls(source, declared):
        for keyword in call.keywords:
            if keyword.arg == option:
                return span(source, keyword.value)
    return handler_span(declared) if option == "handler" else line_span(declared.place)


def _calls(source: Source, declared: Declared) -> Iterator[ast.Call]:
    """The calls that can have declared the node: `@agent.read(...)` at its line, or `.read("id", ...)` around it."""
    line = declared.place.line
    for node in source.calls.get(declared.kind, ()):
        named = node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == declared.id
        if node.lineno <= line <= (node.end_lineno or line) and (named or not node.args):
            yield node
