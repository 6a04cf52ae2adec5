"""What Pydantic finds wrong, as our words: where, what was there, what was wanted; without its addresses and class names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nexum.errors import Problem

if TYPE_CHECKING:
    from pydantic import ValidationError

_UNEXPECTED = re.compile(r"^PydanticSerializationUnexpectedValue\((.*)\)$")
GOT_MAX = 80  # characters of a value that a message shows
_ENOUGH = 8  # findings that a message lists


def got(value: object, limit: int = GOT_MAX) -> str:
    """A value as a message shows it, shortened to `limit` characters; never raises, whatever its repr does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 (a broken __repr__ must not hide what the message is about)
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Every finding: its path from `$`, the value there, and what was wanted."""
    return tuple(
        Problem(".".join(("$", *map(str, found["loc"]))), got(found["input"]), found["msg"])
        for found in error.errors(include_url=False, include_context=False)
    )


def told(error: ValidationError) -> str:
    """The findings in one line: `$.score: Input should be a valid integer, got 'high'; ...`."""
    found = problems_of(error)
    listed = "; ".join(f"{problem.path}: {problem.wanted}, got {problem.got}" for problem in found[:_ENOUGH])
    return listed if len(found) <= _ENOUGH else f"{listed}; and {len(found) - _ENOUGH} more"


def reason_of(error: ValueError) -> str:
    """Why Pydantic could not write a value, in one line: its own words without the heading and the class names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Pydantic serializer warnings"):
        lines = lines[1:]
    first = lines[0] if lines else type(error).__name__
    return _UNEXPECTED.sub(r"\1", first)
