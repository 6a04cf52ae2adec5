"""The words of conditions that Python has no operator for; each builds an expression from references."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import cast

from nexum.compiler.references import function, membership, negation


def has(value: object) -> bool:
    """Whether a node was not skipped, or a field is there: `has(approve.out)`. Never unknown."""
    return cast("bool", function("has", value))


def in_(value: object, among: Iterable[object]) -> bool:
    """Whether a value is one of a list: `in_(verdict.out.reason, ["fraud", "late"])`."""
    return cast("bool", membership(value, among))


def not_(condition: bool) -> bool:
    """The opposite of a condition; unknown stays unknown."""
    return cast("bool", negation(condition))


def size(value: Sized) -> int:
    """How long a text, list or mapping is: `size(search.out.hits) > 0`."""
    return cast("int", function("size", value))
