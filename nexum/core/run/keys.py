"""The text of a business key: what an expression's value is as a key, and which values can be none.

The store keeps a key in a unique index together with tenant and tool, and prints it wherever somebody waits for it. So it
is bounded and legible, by one rule for every store, and the rule speaks before anything is scheduled: a key that a database
refused would stop the claims of a whole queue.
"""

from __future__ import annotations

import re

from nexum.core.canonical import NotCanonicalError, canonical_bytes

KEY_MAX = 1_000  # bytes of UTF-8: with tenant and tool, at most 800 each, it fits an index entry of PostgreSQL (2,704)
_SHOWN = 40
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class UnusableKeyError(ValueError):
    """The value cannot be a business key; the text says what is wrong with it."""


def key_text(value: object) -> str:
    """The key that a value is: a string as it stands, anything else in its canonical spelling.

    Raises `UnusableKeyError` when it is empty, longer than `KEY_MAX` bytes, or has characters that cannot be kept.
    """
    try:
        text = value if isinstance(value, str) else canonical_bytes(value).decode()
    except NotCanonicalError as error:
        raise UnusableKeyError(f"it has no spelling: {error}") from error
    if not text.strip():
        raise UnusableKeyError(f"{text[:_SHOWN]!r} is nothing but blanks" if text else "it is empty")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > KEY_MAX:
        raise UnusableKeyError(f"{text[:_SHOWN]!r}... has {size:,} bytes in UTF-8, and a key may have {KEY_MAX:,}")
    unfit = _UNFIT.search(text)
    if unfit is not None:
        what = "half of a surrogate pair" if unfit[0] >= "\ud800" else "a control character"
        raise UnusableKeyError(f"{text[:_SHOWN]!r} has {what} (U+{ord(unfit[0]):04X}) at position {unfit.start()}")
    return text
