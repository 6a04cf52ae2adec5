"""What an expression may be, as JSON Schemas: there is no second language of types."""

from __future__ import annotations

from typing import Any, Final

from nexum.core.schema.paths import field_at
from nexum.core.schema.resolve import Schema, alternatives, as_schema, kinds, rooted
from nexum.core.schema.wording import one_of, wanted

# The alternatives of a value, each able to stand alone, references and unions taken apart.
Type = tuple[Schema, ...]

ANY: Final[Type] = ({},)
BOOLEAN: Final[Type] = ({"type": "boolean"},)
INTEGER: Final[Type] = ({"type": "integer"},)
NUMBER: Final[Type] = ({"type": "number"},)
DOUBLE: Final[Type] = ({"type": "number", "format": "double"},)  # never a whole number that is written without a point
STRING: Final[Type] = ({"type": "string"},)

NUMERIC: Final = frozenset({"integer", "number"})


def type_of_schema(schema: Schema) -> Type:
    """The alternatives of a schema; anything if it has none."""
    return alternatives(schema) or ANY


def kinds_of(kind: Type) -> frozenset[str]:
    """All kinds that a value of this type may have."""
    return frozenset().union(*map(kinds, kind))


def known(kind: Type) -> frozenset[str]:
    """The kinds without null: what an operator sees when its operand is not unknown."""
    return kinds_of(kind) - {"null"}


def classes(found: frozenset[str]) -> frozenset[str]:
    """Kinds as comparisons see them: whole numbers are numbers."""
    return frozenset("number" if kind == "integer" else kind for kind in found)


def may_be(kind: Type, wants: str) -> bool:
    """Whether some value of this type is of that kind. A number is not taken for a whole number, anything is."""
    return wants in known(kind) or any(len(kinds(one)) > 2 for one in kind)


def field_of(kind: Type, name: str) -> Type | None:
    """The type of a field; None if no alternative declares it."""
    found = [part for one in kind if (part := field_at(one, (name,))) is not None]
    return tuple(one for part in found for one in type_of_schema(part)) or None


def element_of(kind: Type) -> Type:
    """The type of a list's elements."""
    lists = [one for one in kind if "array" in kinds(one)]
    parts = [rooted(part, one) for one in lists for part in (*one.get("prefixItems", ()), one.get("items", {}))]
    found = [as_schema(part) for part in parts]
    return tuple(one for part in found for one in type_of_schema(part)) or ANY


def list_of(items: list[Type]) -> Type:
    """The type of a list literal."""
    distinct: list[Schema] = []
    for one in (one for item in items for one in item):
        if one not in distinct:
            distinct.append(one)
    if len(distinct) == 1:
        return ({"type": "array", "items": distinct[0]},)
    if any("$defs" in one for one in distinct):  # their definitions may share names
        return ({"type": "array"},)
    return ({"type": "array", "items": {"anyOf": distinct}},) if distinct else ({"type": "array"},)


def values_of(kind: Type) -> list[Any] | None:
    """The values that a type lists, null left out; None if some alternative does not list them."""
    found: list[Any] = []
    for one in kind:
        if "const" in one:
            found.append(one["const"])
        elif "enum" in one:
            found.extend(one["enum"])
        elif kinds(one) != {"null"}:
            return None
    return [value for value in found if value is not None]


def worded(kind: Type) -> str:
    """A type in a few words."""
    return one_of(map(wanted, kind))
