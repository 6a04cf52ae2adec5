"""Following references and unions inside one schema."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Final

Schema = dict[str, Any]

NEVER: Final[Schema] = {"not": {}}  # what `false` means: nothing fits

KINDS: Final = ("null", "boolean", "integer", "number", "string", "array", "object")

# Keywords that say something about a schema and nothing about values. "default" too: Pydantic fills it in, we do not.
ANNOTATIONS: Final = frozenset(
    {"$comment", "$defs", "$id", "$schema", "contentEncoding", "contentMediaType", "contentSchema", "default"}
    | {"definitions", "deprecated", "description", "discriminator", "example", "examples", "readOnly", "title"}
    | {"writeOnly"}
)
# Keywords that judge values and that we do not implement; ignoring one would be a lie.
UNSUPPORTED: Final = frozenset(
    {"$dynamicRef", "$recursiveRef", "additionalItems", "contains", "dependencies", "dependentRequired"}
    | {"dependentSchemas", "else", "if", "maxContains", "minContains", "then", "unevaluatedItems"}
    | {"unevaluatedProperties"}
)
_MANY = 64


class SchemaError(ValueError):
    """The schema itself cannot be used: a reference leads nowhere or in a circle, or a keyword is not supported."""


def as_schema(node: object) -> Schema:
    """A schema as a dict: `true` is `{}`, `false` is `NEVER`. Raises `SchemaError` for anything else."""
    if isinstance(node, dict):
        return node
    if isinstance(node, bool):
        return {} if node else NEVER
    raise SchemaError(f"{node!r} is not a JSON Schema")


def lookup(ref: str, root: Schema) -> Schema:
    """What `#/$defs/Name` names in `root`. Raises `SchemaError` if it leads nowhere."""
    node: Any = root
    if not ref.startswith("#/"):
        raise SchemaError(f"the reference {ref!r} does not begin with '#/'")
    for part in ref[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or name not in node:
            raise SchemaError(f"the reference {ref!r} leads nowhere")
        node = node[name]
    return as_schema(node)


def constraints(schema: Schema) -> Schema:
    """The schema without its annotations: two schemas with equal constraints allow the same values."""
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}


def rooted(part: object, root: Schema) -> Schema:
    """A part of a schema that can stand alone: the definitions come with it."""
    schema = as_schema(part)
    own: Schema = {name: root[name] for name in ("$defs", "definitions") if name in root and name not in schema}
    return {**schema, **own} if own else schema


def alternatives(schema: Schema) -> tuple[Schema, ...]:
    """What a value may be, as a flat list: references followed, unions taken apart, each able to stand alone.

    `Claim | None` gives the schema of Claim and `{"type": "null"}`. Raises `SchemaError` for a reference that leads
    nowhere.
    """
    return tuple(rooted(part, schema) for part in _expand(schema, schema, frozenset()))


def _expand(schema: Schema, root: Schema, followed: frozenset[str]) -> list[Schema]:
    if "$ref" in schema:
        ref = schema["$ref"]
        if ref in followed:
            return []  # a union that holds itself adds nothing to what it holds otherwise
        return _expand({**lookup(ref, root), **_without(schema, "$ref")}, root, followed | {ref})
    for union in ("anyOf", "oneOf"):
        if union in schema:
            rest = _without(schema, union)
            branches = [{**rest, **as_schema(branch)} for branch in schema[union]]
            return [part for branch in branches for part in _expand(branch, root, followed)]
    if "allOf" in schema:
        every = [_expand(as_schema(part), root, followed) for part in (*schema["allOf"], _without(schema, "allOf"))]
        return [_merged(parts) for _, parts in zip(range(_MANY), product(*every), strict=False)]
    return [schema]


def _without(schema: Schema, keyword: str) -> Schema:
    return {key: value for key, value in schema.items() if key != keyword and key not in ANNOTATIONS}


def _merged(parts: tuple[Schema, ...]) -> Schema:
    merged: Schema = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        merged = {**merged, **part}
        if properties:
            merged["properties"] = properties
    return merged


def kinds(schema: Schema) -> frozenset[str]:
    """The kinds of one alternative: names out of `KINDS`. `number` stands for whole numbers too."""
    if schema == NEVER:
        return frozenset()
    if "const" in schema:
        return frozenset({kind_of(schema["const"])})
    if "enum" in schema:
        return frozenset(map(kind_of, schema["enum"]))
    declared = schema.get("type", KINDS)
    found = frozenset({declared} if isinstance(declared, str) else declared)
    return found - {"integer"} if "number" in found else found


def kind_of(value: object) -> str:
    """The kind of a JSON value; a float is a `number` even when it is whole."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"
