"""Schemas and values in a few words, for people."""

from __future__ import annotations

import json
from collections.abc import Iterable

from nexum.core.schema.resolve import Schema, SchemaError, alternatives, kinds

_KINDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "an object",
}
_SHOWN = 60  # characters of a value


def wanted(schema: Schema) -> str:
    """What a schema asks for: `a whole number or null`, `"refund" or "partial"`, `an object (Claim)`."""
    try:
        parts = alternatives(schema)
    except SchemaError as error:
        return str(error)
    return one_of(word for part in parts for word in _words(part))


def got(value: object) -> str:
    """A value, shortened: `"abc"`, `a list of 3`, `an object with amount, currency`."""
    if isinstance(value, dict):
        names = ", ".join(map(str, list(value)[:5])) + (", ..." if len(value) > 5 else "")
        return f"an object with {names}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        return f"a {type(value).__name__}, which is not JSON"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`, each once."""
    *most, last = dict.fromkeys(words) or {"nothing": None}
    return f"{', '.join(most)} or {last}" if most else last


def _words(schema: Schema) -> list[str]:
    if "const" in schema:
        return [got(schema["const"])]
    if "enum" in schema:
        return [got(value) for value in schema["enum"]]
    found = kinds(schema)
    if len(found) > 5:
        return ["anything"]
    title = schema.get("title")
    return [f"an object ({title})" if kind == "object" and title else _KINDS[kind] for kind in _KINDS if kind in found]
