"""Annotations as types, and types as JSON Schemas.

An output is described as it is written (serialization), a parameter as it is read (validation). Titles and
descriptions are dropped where no model and no person will read them, so that a new docstring is not a new version.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import PydanticUserError, TypeAdapter

from nexum.core.graph.nodes import Schema
from nexum.errors.misfits import got

Mode = Literal["validation", "serialization"]

_PROSE = frozenset({"title", "description", "examples"})
_NAMED = frozenset({"properties", "$defs", "patternProperties"})  # whose keys are names of the author's, not keywords
_DATA = frozenset({"const", "enum", "default"})  # whose values are data and hold no schema


class UnknownAnnotation(Exception):  # noqa: N818 (an answer inside the compiler, not an error that users see)
    """An annotation that cannot be resolved; `args[0]` says why."""


class Unsupported(Exception):  # noqa: N818
    """A type without JSON Schema; `args[0]` says why."""


def resolve(handler: Callable[..., Any], name: str, names: Mapping[str, Any]) -> Any:
    """The type of one annotation of a handler (`return` for its result). Raises `UnknownAnnotation`."""
    holder = types.SimpleNamespace(__annotations__={name: annotations_of(handler)[name]})
    scope = getattr(plain(handler), "__globals__", {})
    try:
        return typing.get_type_hints(holder, globalns=scope, localns=dict(names), include_extras=True)[name]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise UnknownAnnotation(str(error)) from error


def annotations_of(handler: Callable[..., Any]) -> Mapping[str, Any]:
    """The raw annotations of a callable; empty when it has none."""
    found: Mapping[str, Any] = getattr(plain(handler), "__annotations__", {})
    return found


def plain(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a decorated function, a partial, a method or an object with `__call__`."""
    handler = inspect.unwrap(handler)
    if isinstance(handler, functools.partial):
        return plain(handler.func)
    if inspect.ismethod(handler):
        return plain(handler.__func__)
    inner = getattr(type(handler), "__call__", None)  # noqa: B004 (the function is wanted, not whether there is one)
    return inner if inspect.isfunction(inner) else handler


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """The validator of a type. Raises `Unsupported`."""
    try:
        return TypeAdapter(kind)
    except Exception as error:  # Pydantic's own, and whatever the hooks of the author's own types raise
        raise Unsupported(_first_line(error)) from error


def schema_of(adapter: TypeAdapter[Any], mode: Mode, *, prose: bool = False) -> Schema:
    """The JSON Schema of a type; `prose` keeps titles and descriptions. Raises `Unsupported`."""
    try:
        schema = adapter.json_schema(mode=mode)
    except Exception as error:  # as above
        raise Unsupported(_first_line(error)) from error
    return schema if prose else _bare(schema)


def is_nullable(kind: Any) -> bool:
    """Whether a type names None as one of its values."""
    return type(None) in members(kind)


def members(kind: Any) -> tuple[Any, ...]:
    """The members of a union, `Annotated` looked through; a type that is no union is its own only member."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return members(typing.get_args(kind)[0])
    if origin is typing.Union or origin is types.UnionType:
        return tuple(inner for member in typing.get_args(kind) for inner in members(member))
    return (type(None),) if kind is None else (kind,)


def name_of(kind: Any) -> str:
    """A type as people write it: `Purchase`, `list[int]`, `Receipt | None`."""
    if kind is type(None):
        return "None"
    found = members(kind)
    if len(found) > 1:
        return " | ".join(name_of(member) for member in found)
    if typing.get_origin(kind) is not None:
        return str(kind).replace("typing.", "").replace(f"{getattr(kind, '__module__', '')}.", "")
    return str(getattr(kind, "__name__", "")) or got(kind)


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    bare: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _PROSE:
            continue
        if key in _NAMED:
            bare[key] = {name: _bare(inner) for name, inner in value.items()}
        else:
            bare[key] = value if key in _DATA else _bare(value)
    return bare


def _first_line(error: Exception) -> str:
    known = isinstance(error, PydanticUserError | NameError)  # what these say needs no name in front
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return text.splitlines()[0]
