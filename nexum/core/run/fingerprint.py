"""Which failures are the same failure: a name for workflow, node, code and message, whatever the order or the customer.

What differs between two occurrences of one fault is data: numbers, identifiers, quoted values. They are replaced by a word
for their kind, and what remains is the message that the author wrote. Normalising twice changes nothing more, so that a
message which was normalised already belongs to the same group.
"""

from __future__ import annotations

import re

from nexum.core.canonical import canonical_bytes, legible, sha256_hex

LENGTH = 12  # characters of a fingerprint
LONGEST = 300  # characters of a normalised message that count
_READ = 4_000  # characters of a message that are looked at

_ROUND = re.compile(r"/(?:repair|reconcile)\.[0-9]+")
_DATA = (
    (re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`"), "<text>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b(?:0x[0-9a-f]+|(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,})\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
)


def normalised(message: str) -> str:
    """The message without its data: first line, quoted values, uuids, hexadecimal and numbers replaced by their kind."""
    line = " ".join(next(iter(message.strip()[:_READ].splitlines()), "").split())
    before = None
    while line != before:  # a replacement may bring two halves of a quotation together
        before = line
        for kind, word in _DATA:
            line = kind.sub(word, line)
    return line[:LONGEST].rstrip()


def acting(path: str) -> str:
    """What acts at a path: the node, its undo, a call of it; repair rounds and askings are the node's own."""
    return _ROUND.sub("", path)


def fingerprint(workflow: str, path: str, code: str, message: str) -> str:
    """The name of a group: hexadecimal, the same wherever and whenever it is computed. Rounds of one node are one."""
    parts = [workflow, acting(path), code, legible(normalised(message))]
    return sha256_hex(canonical_bytes(parts))[:LENGTH]
