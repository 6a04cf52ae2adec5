"""JSON that people write by hand, on a command line or in a form: read strictly, refused with the place."""

from __future__ import annotations

import json
from typing import Any

from nexum.core.canonical import MAX_DEPTH, Json
from nexum.errors import InputError


def parse_json(text: str, source: str) -> Json:
    """The JSON value of a text; `source` is what people call the place it came from.

    Raises `InputError` NX-F112 for what is not JSON: NaN and infinities are not, nor what is nested too deeply to be read.
    """
    try:
        return json.loads(text, parse_constant=refused)
    except RecursionError as error:
        raise too_deep(source) from error
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError):
            raise _not_json(source, str(error)) from error
        line = error.doc.split("\n")[error.lineno - 1]  # the lines that `json` counts; the last one may be empty
        found = repr(line[:60]) if error.doc[error.pos :].strip() else "the text ends there"
        place = f"{error.msg} at line {error.lineno}, column {error.colno}: {found}"
        raise _not_json(source, place) from error


def too_deep(source: str) -> InputError:
    """The error for a text of too many brackets."""
    return InputError(
        f"{source} is nested too deeply to be read",
        code="NX-F112",
        fixes=(f"make it flatter: a payload has at most {MAX_DEPTH} levels",),
    )


def refused(name: str) -> Any:
    """What `json.loads` is given for NaN and infinities. Raises `ValueError`."""
    raise ValueError(f"{name} is no number")


def _not_json(source: str, why: str) -> InputError:
    ways = () if source.startswith("--") else (f"correct {source} where the message says",)
    return InputError(f"{source} is not JSON: {why}", code="NX-F112", fixes=ways)
