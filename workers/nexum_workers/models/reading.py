"""Read a value out of a model's text, and refuse whatever would hurt a later reader."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from nexum.core.canonical import MAX_DEPTH, Json
from nexum.errors import HandlerError

MAX_DIGITS = 400  # no double has more digits before its point; a longer integer is a slip or an attack
_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)


class InvalidAnswerError(HandlerError):
    """The text holds no value that may be used; `code` says in which way, the message what to do better."""

    default_code = "NX-L211"


def read_json(text: str) -> Json:
    """The one JSON value of an answer: the whole text, or its one fenced block.

    Raises `InvalidAnswerError`: NX-L211 for no JSON, several different values or a key twice; NX-L212 for NaN, infinities,
    integers of more than 400 digits, nesting deeper than 200, and halves of surrogate pairs, which no mail or request
    downstream could carry.
    """
    first: InvalidAnswerError | None = None
    values: list[Json] = []
    for candidate in _candidates(text):
        try:
            value = _parse(candidate)
        except InvalidAnswerError as error:
            first = first or error
            continue
        if value not in values:
            values.append(value)
    if len(values) == 1:
        return values[0]
    if values:
        raise InvalidAnswerError(f"the answer holds {len(values)} different JSON values; exactly one is wanted")
    raise first or InvalidAnswerError("the answer is empty")


def _candidates(text: str) -> Iterator[str]:
    """The whole text; only if it is not itself JSON, what stands in fences."""
    whole = text.strip().removeprefix("\ufeff")
    if "```" not in whole or whole[:1] in '{["':
        yield whole
        return
    if whole.startswith("```") and whole.endswith("```") and "\n" in whole and whole.count("\n```") <= 1:
        yield whole.split("\n", 1)[1][:-3].strip()  # one block; fences inside its strings are part of them
        return
    blocks = _FENCE.findall(whole)
    yield from (block.strip() for block in blocks) if blocks else (whole,)


def _parse(text: str) -> Json:
    if not text:
        raise InvalidAnswerError("the answer is empty")
    try:
        value = json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 30) : error.pos + 30]
        raise InvalidAnswerError(f"not JSON: {error.msg} at character {error.pos}, near {near!r}") from error
    except RecursionError as error:
        raise _outside(f"nested deeper than {MAX_DEPTH}") from error
    _check_depth(value)
    _check_text(value)
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _outside(f"an integer has {len(digits):,} digits, at most {MAX_DIGITS} are read")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _outside(f"{digits[:40]} is larger than any double")
    return number


def _constant(name: str) -> Any:
    raise _outside(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidAnswerError(f"the key {twice[:80]!r} stands twice in one object")
    return value


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise _outside(f"nested deeper than {MAX_DEPTH}")


def _check_text(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise _outside(f"a string holds {half}, half of a surrogate pair") from error


def _outside(what: str) -> InvalidAnswerError:
    return InvalidAnswerError(what, code="NX-L212")
