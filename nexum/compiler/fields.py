"""The fields of a type as handlers write them, and the names under which they stand in JSON."""

from __future__ import annotations

import dataclasses
import typing
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from nexum.compiler.annotations import UnknownAnnotation, members

_SCALARS = (str, int, float, bytes, Decimal, Enum, date, time, timedelta, UUID)


def fields_of(kind: Any) -> dict[str, tuple[str, Any]] | None:
    """Field name -> (name in JSON, type); None when they are not known (a mapping, `Any`), empty for a scalar.

    For a union the fields of its members together, None left out.
    """
    found: dict[str, tuple[str, Any]] = {}
    known = False
    for member in members(kind):
        if member is type(None):
            continue
        inner = _own_fields(member)
        if inner is None:
            return None
        found.update(inner)
        known = True
    return found if known else None


def _own_fields(kind: Any) -> dict[str, tuple[str, Any]] | None:
    plain = typing.get_origin(kind) or kind
    if not isinstance(plain, type):
        return None
    if issubclass(plain, BaseModel):
        model: type[BaseModel] = kind if isinstance(kind, type) else plain
        stored = {
            name: (info.serialization_alias or info.alias or name, info.annotation)
            for name, info in model.model_fields.items()
        }
        computed = {name: (info.alias or name, info.return_type) for name, info in model.model_computed_fields.items()}
        return {**stored, **computed}
    if issubclass(plain, _SCALARS):
        return {}
    if dataclasses.is_dataclass(plain) or typing.is_typeddict(plain):
        try:
            return {name: (name, hint) for name, hint in typing.get_type_hints(plain, include_extras=True).items()}
        except NameError as error:
            raise UnknownAnnotation(str(error)) from error
    return None


def element_of(kind: Any) -> Any:
    """The type of the elements of a list or of the values of a mapping; `Any` when unknown."""
    for member in members(kind):
        origin, arguments = typing.get_origin(member), typing.get_args(member)
        if origin in {list, set, frozenset, tuple} and arguments:
            return arguments[0]
        if origin is dict and len(arguments) == 2:
            return arguments[1]
    return Any
