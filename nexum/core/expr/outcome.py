"""What an evaluation may give besides a JSON value."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal


class Missing(Enum):
    """`UNKNOWN` comes out of an evaluation; `ABSENT` goes in, as the value of a root that was skipped.

    Both are false in a Python `if`, because only true is ever taken.
    """

    UNKNOWN = "unknown"
    ABSENT = "absent"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.name


UNKNOWN: Final[Literal[Missing.UNKNOWN]] = Missing.UNKNOWN
ABSENT: Final[Literal[Missing.ABSENT]] = Missing.ABSENT


class EvalError(ValueError):
    """The expression has no value: division by zero, overflow, an index out of range, or kinds that do not fit."""


def kind_of(value: object) -> str:
    """The name of a JSON value's kind, for messages."""
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
