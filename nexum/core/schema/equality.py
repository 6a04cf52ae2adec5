"""Equality of JSON values as JSON Schema and conditions see it: numbers by value, booleans are no numbers, no recursion."""

from __future__ import annotations

from typing import Final

_SCALARS: Final = frozenset({str, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})


def same(left: object, right: object) -> bool:
    """Whether two JSON values are equal; `1 == 1.0`, `true != 1`. The cost is linear in the smaller value."""
    todo = [(left, right)]
    while todo:
        a, b = todo.pop()
        kind = type(a)
        if kind in _NUMBERS:
            if type(b) not in _NUMBERS or a != b:
                return False
        elif kind is not type(b):
            return False
        elif kind in _SCALARS:
            if a != b:
                return False
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            todo.extend(zip(a, b, strict=True))
        elif isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            todo.extend((value, b[key]) for key, value in a.items())
        else:
            return False
    return True
