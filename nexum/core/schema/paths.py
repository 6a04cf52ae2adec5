"""Which fields a schema has, what is at a path, and which name was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nexum.core.schema.patterns import matches
from nexum.core.schema.resolve import NEVER, Schema, alternatives, as_schema, constraints, kinds, rooted


def field_at(schema: Schema, path: Sequence[str]) -> Schema | None:
    """The schema of the value at `("claim", "amount")`; None if no such field is declared.

    Follows references, looks through `| None` and into every branch of a union: several branches with the field give
    an `anyOf`. The definitions come with the answer. Raises `SchemaError` for a reference that leads nowhere.
    """
    for name in path:
        found = [part for one in alternatives(schema) if (part := _field(one, name)) is not None]
        if not found:
            return None
        schema = _union(found)
    return schema


def fields(schema: Schema) -> tuple[str, ...]:
    """The names of the declared fields, in the order of the schema, over all branches of a union."""
    return tuple(dict.fromkeys(name for one in alternatives(schema) for name in one.get("properties", {})))


def is_open(schema: Schema) -> bool:
    """Whether an object of this (one) alternative may hold fields that it does not declare."""
    if "additionalProperties" in schema:
        return as_schema(schema["additionalProperties"]) != NEVER
    return "properties" not in schema and "patternProperties" not in schema


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant: at most two edits away (one for names of two or three letters)."""
    limit = min(2, len(name) // 2)
    best: tuple[int, str] | None = None
    for candidate in candidates:
        distance = _edits(name.lower(), candidate.lower(), limit)
        if distance <= limit and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None


def _field(schema: Schema, name: str) -> Schema | None:
    """The schema of one field of one alternative."""
    if "object" not in kinds(schema):
        return None
    if name in schema.get("properties", {}):
        return rooted(schema["properties"][name], schema)
    for pattern, part in schema.get("patternProperties", {}).items():
        if matches(pattern, name):
            return rooted(part, schema)
    return rooted(schema.get("additionalProperties", {}), schema) if is_open(schema) else None


def _union(found: list[Schema]) -> Schema:
    distinct = [part for place, part in enumerate(found) if part not in found[:place]]
    if len(distinct) == 1:
        return distinct[0]
    return rooted({"anyOf": [constraints(part) for part in distinct]}, distinct[0])


def _edits(a: str, b: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two words; `limit + 1` if there are more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
