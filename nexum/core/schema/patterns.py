"""Regular expressions of schemas. They are written by the authors of workflows, never by those who send values."""

from __future__ import annotations

import re
from functools import lru_cache

from nexum.core.schema.resolve import SchemaError


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; `$` is the very end. Raises `SchemaError` for a pattern we cannot read."""
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    strict = re.sub(
        r"(\\.)|\$", lambda m: m[1] or r"\Z", pattern, flags=re.DOTALL
    )  # Python's $ also allows a "\n" after
    try:
        return re.compile(strict)
    except re.error as error:
        raise SchemaError(f"the pattern {pattern!r} cannot be read: {error}") from error
