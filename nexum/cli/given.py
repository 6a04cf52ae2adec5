"""Values given on the command line: JSON, `@file`, `-`, and `name=value`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from nexum.client.json_text import parse_json, refused, too_deep
from nexum.client.spans import A_YEAR, MICROS
from nexum.core.canonical import Json
from nexum.errors import InputError, NexumError
from nexum.errors.misfits import got

OPTION = "--input"
_PAIR = ("write -p name=value; a value is JSON where it reads as JSON, else text",)
_DAY = 86_400  # seconds
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": _DAY}


def read_input(given: str | None, pairs: Sequence[str]) -> Json:
    """The input of a run: JSON text, `@file`, `-` for standard input; then each `name=value` put into it.

    Raises `InputError` NX-F112 for what is not JSON, `NexumError` NX-F113 for a file that cannot be read.
    """
    value: Json = {} if given is None else parse_json(*_text(given))
    for pair in pairs:
        value = _put(value, pair)
    return value


def read_json(given: str, option: str) -> Json:
    """One JSON value given as `option`: text, `@file`, `-` for standard input. Raises as `read_input` does."""
    return parse_json(*_text(given, option))


def seconds_of(given: str) -> float:
    """`90`, `90s`, `5m`, `2h` as seconds, at most a year. Raises `InputError` NX-F114."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|)", given.strip())
    if found is None:
        raise InputError(f"{got(given)} is not a duration", code="NX-F114")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds > A_YEAR:
        told = f"{got(given)} is longer than a year, and nothing here lasts longer"
        raise InputError(told, code="NX-F114", fixes=(f"name a time of at most {A_YEAR // _DAY}d",))
    return seconds


def span_of(given: str, option: str) -> float:
    """For how many seconds a decision holds; 0, which is without an end, for nothing. Raises `InputError` NX-F114 for no time."""
    seconds = seconds_of(given) if given else 0.0
    if given and seconds * MICROS < 1:
        told = f"{option} {got(given)} is no time at all"
        ways = ("name a time, such as 30m", f"leave {option} out: it holds until it is taken back")
        raise InputError(told, code="NX-F114", fixes=ways)
    return seconds


def _text(given: str, option: str = OPTION) -> tuple[str, str]:
    """The JSON text and what to call it."""
    if given != "-" and not given.startswith("@"):
        return given, option
    source = "standard input" if given == "-" else given[1:]
    try:
        data = sys.stdin.buffer.read() if given == "-" else Path(source).read_bytes()
        return data.decode("utf-8"), source
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NexumError(f"{source} cannot be read: {why}", code="NX-F113") from error


def _put(value: Json, pair: str) -> Json:
    """`customer.name=Mika` put into an object; the value is JSON where it reads as JSON, else text."""
    path, found, text = pair.partition("=")
    if not found or not path:
        raise InputError(f"-p {got(pair)} is not name=value", code="NX-F112", fixes=_PAIR)
    if not isinstance(value, dict):
        told = f"-p {got(pair)} cannot be put into {type(value).__name__}, only into an object"
        raise InputError(told, code="NX-F112", fixes=("give an object as --input, or leave -p out",))
    try:
        leaf: Json = json.loads(text, parse_constant=refused)
    except RecursionError as error:
        raise too_deep(f"-p {path}") from error
    except ValueError:
        leaf = text
    here = value
    *folders, name = path.split(".")
    for folder in folders:
        here = here.setdefault(folder, {})
        if not isinstance(here, dict):
            told = f"-p {got(pair)}: {got(folder)} is no object"
            raise InputError(told, code="NX-F112", fixes=("name a field of an object",))
    here[name] = leaf
    return value
