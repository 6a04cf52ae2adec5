"""Nexum canonical JSON v1: one value, one spelling, one hash.

Keys sorted by code point, no white space, UTF-8, floats in Python's shortest form with `-0.0` written `0.0`, integers of
any size that can be read again (4,300 digits), NaN and infinities refused, lone surrogates kept as escapes.
`reference_bytes` is the definition, in plain standard library; `canonical_bytes` gives the same bytes faster where the
value allows it (a property test compares them).

That definition spells whatever Python's strings can hold. What enters a run is held to more: `storable_bytes` refuses half
of a surrogate pair, because no page, no request and no other language could carry it on.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import orjson

Json = Any  # None | bool | int | float | str | list[Json] | dict[str, Json]; recursive aliases cost mypy more than they give

_SMALL = 1 << 53
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # as many digits as the first integer that does not fit
MAX_DEPTH = 200
MAX_DIGITS = 4_300  # of an integer; Python refuses to read more, because it would take too long
_TOO_LARGE = 10**MAX_DIGITS


class NotCanonicalError(ValueError):
    """The value has no JSON spelling; `path` says where."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


def canonical_bytes(value: Json) -> bytes:
    """Spell a JSON value canonically.

    Raises `NotCanonicalError` for NaN, infinities, integers of more than 4,300 digits, non-string keys, other types, and
    nesting deeper than 200.
    """
    if _plain(value, 0):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # a lone surrogate: valid in Python and in JSON escapes, not in UTF-8
            return reference_bytes(value)
    return reference_bytes(value)


def storable_bytes(value: Json) -> bytes:
    """Spell a payload canonically: as `canonical_bytes`, but it must be text that UTF-8 can carry.

    Raises `NotCanonicalError` also for half of a surrogate pair.
    """
    data = canonical_bytes(value)
    if b"\\ud" in data:  # such an escape, or a backslash of the text's own before `ud`
        refuse_halves(value, "$")
    return data


def legible(text: str) -> str:
    """The text with halves of surrogate pairs written as their escapes, so that it can be encoded anywhere."""
    return text.encode("utf-8", "backslashreplace").decode()


def refuse_halves(value: Json, path: str) -> None:
    """Raises `NotCanonicalError` for the first text that holds half of a surrogate pair; `path` is the value's place."""
    if isinstance(value, str):
        half = next((c for c in value if "\ud800" <= c <= "\udfff"), "")
        if half:
            raise NotCanonicalError(path, f"the text holds \\u{ord(half):04x}, half of a surrogate pair")
    elif isinstance(value, dict):
        for key, inner in value.items():
            refuse_halves(key, f"{path}.{legible(key)}")
            refuse_halves(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            refuse_halves(inner, f"{path}[{place}]")


def reference_bytes(value: Json) -> bytes:
    """The definition of the canonical form (slow); `canonical_bytes` must always agree with it."""
    text = json.dumps(
        _normal(value, "$", 0), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text).encode()


def from_bytes(data: bytes) -> Json:
    """Read JSON bytes; accepts everything that `canonical_bytes` writes."""
    if _LONG in data.translate(_DIGITS):  # orjson reads an integer beyond 64 bits as a float, silently
        return json.loads(data)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)  # escaped lone surrogates


def sha256_hex(data: bytes) -> str:
    """The content hash of a payload, as it stands in events and blobs."""
    return hashlib.sha256(data).hexdigest()


def _plain(value: Json, depth: int) -> bool:
    """Whether the fast encoder is known to give the canonical spelling."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-_SMALL < value < _SMALL)
    if kind is dict:
        if depth > MAX_DEPTH:
            return False
        for key, inner in value.items():
            if type(key) is not str:
                return False
            if type(inner) is not str and not _plain(
                inner, depth + 1
            ):  # most values are text; a call costs as much again
                return False
        return True
    if kind is list:
        if depth > MAX_DEPTH:
            return False
        for inner in value:  # noqa: SIM110 (a generator would cost as much as the rest)
            if type(inner) is not str and not _plain(inner, depth + 1):
                return False
        return True
    return False


def _normal(value: Json, path: str, depth: int) -> Json:
    if depth > MAX_DEPTH + 1:
        raise NotCanonicalError(path, f"nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -_TOO_LARGE < value < _TOO_LARGE:
            raise NotCanonicalError(path, f"an integer has more than {MAX_DIGITS:,} digits")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotCanonicalError(path, f"{value} is not JSON")
        return value + 0.0  # -0.0 + 0.0 is 0.0
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise NotCanonicalError(path, f"key {key!r} is {type(key).__name__}, not str")
        return {k: _normal(v, f"{path}.{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
    raise NotCanonicalError(path, f"{type(value).__name__} is not JSON")
