"""References to payloads: events and states carry where a value is, and its hash, never a large value itself."""

from __future__ import annotations

from typing import NamedTuple

INLINE_MAX = 8_192  # bytes; a larger payload is a blob (claim check)
HERE = -1
BLOB = 0


class Ref(NamedTuple):
    """A payload: its sha256 (hex), its size in bytes, and where it is.

    `seq` is the event that carries it inline; `BLOB` means the blobs table; `HERE`, only inside the body of an event that
    is not folded yet, means that event itself (fold puts the event's own number).
    """

    hash: str
    size: int
    seq: int = BLOB


def placed(ref: Ref | None, seq: int) -> Ref | None:
    """A reference from the body of event `seq`, with that number where it means `HERE`."""
    return ref._replace(seq=seq) if ref is not None and ref.seq == HERE else ref
