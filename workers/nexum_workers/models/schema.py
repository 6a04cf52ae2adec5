"""Make a JSON Schema fit what providers force answers to (OpenAI's strict structured outputs).

Strict mode wants every object closed and every property required, and knows no defaults. A field with a default is asked
for all the same: the answer is then complete, and validation accepts it. A map with free keys cannot be closed; such a
schema is sent as guidance, and validation decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROPPED = ("default", "title")


def strict_schema(schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema to send, and whether the provider may be asked to force it."""
    if _has_free_keys(schema):
        return dict(schema), False
    closed: dict[str, Any] = _close(schema)
    return closed, closed.get("type") == "object"


def _has_free_keys(node: Any) -> bool:
    if isinstance(node, Mapping):
        if node.get("type") == "object" and not node.get("properties"):
            return True
        if node.get("additionalProperties") not in (None, False):
            return True
        return any(_has_free_keys(value) for value in node.values())
    if isinstance(node, list | tuple):
        return any(_has_free_keys(value) for value in node)
    return False


def _close(node: Any) -> Any:
    if isinstance(node, list | tuple):
        return [_close(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    closed = {key: _close(value) for key, value in node.items() if key not in _DROPPED or not isinstance(value, str)}
    closed.pop("default", None)
    properties = node.get("properties")
    if isinstance(properties, Mapping) and node.get("type") == "object":
        closed["properties"] = {name: _close(value) for name, value in properties.items()}
        closed["required"] = list(properties)
        closed["additionalProperties"] = False
    return closed
