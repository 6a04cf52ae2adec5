"""What a start must hold to, whichever door it comes through: Python, the command line or the REST interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nexum.core.canonical import legible
from nexum.errors import InputError, Problem
from nexum.errors.misfits import got

if TYPE_CHECKING:
    from nexum.client.start import StartRequest

LONGEST = 200  # characters of a run key, a subject, a tenant
FIRST, LAST = -9, 9  # priorities; lower runs sooner
SUBJECT = r"^([^\s:.]+(\.[^\s:.]+)+:.+)?$"  # `shop.Order:1042`, or nothing
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SUBJECT = re.compile(SUBJECT, re.DOTALL)
_TEXTS = ("workflow", "run_key", "subject", "tenant", "trace", "actor")
_BOUNDED = ("run_key", "subject", "tenant")


def is_traceparent(text: str) -> bool:
    """Whether a text is a W3C traceparent."""
    return _TRACE.fullmatch(text) is not None


def check(request: StartRequest) -> None:
    """Raises `InputError`: NX-R101 with every field that does not fit, NX-S107 for a text that no column can hold."""
    found = tuple(_problems(request))
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the start of {got(request.workflow)} does not fit: {listed}", problems=found)
    for name in _TEXTS:
        text: str = getattr(request, name)
        wrong = "a NUL character" if "\x00" in text else "half of a surrogate pair" if legible(text) != text else ""
        if wrong:
            raise InputError(
                f"{name} {got(text)} cannot be stored: it holds {wrong}",
                code="NX-S107",
                problems=(Problem(name, got(text), "text without NUL and without halves of surrogate pairs"),),
            )


def _problems(request: StartRequest) -> Iterator[Problem]:
    for name in _TEXTS:
        value = getattr(request, name)
        if not isinstance(value, str):
            yield Problem(name, got(value), "a text")
        elif name in _BOUNDED and len(value) > LONGEST:
            yield Problem(name, f"{len(value):,} characters, {got(value)}", f"at most {LONGEST} characters")
        elif name in ("workflow", "tenant") and not value:
            yield Problem(name, "nothing", "a name")
        elif name == "trace" and value and not is_traceparent(value):
            yield Problem(name, got(value), "a W3C traceparent: 00-<32 hex digits>-<16 hex digits>-<2 hex digits>")
        elif name == "subject" and not _SUBJECT.match(value):
            yield Problem(name, got(value), "`app.Model:pk`, such as `shop.Order:1042`")
    priority = request.priority
    if isinstance(priority, bool) or not isinstance(priority, int) or not FIRST <= priority <= LAST:
        yield Problem("priority", got(priority), f"a whole number from {FIRST} to {LAST}")
