"""The filter language of lists: `status:failed workflow:RefundAgent -version:8f9a started:<2h "order 1042"`.

Each qualifier is one condition, all must hold, `-` negates, quotes allow spaces, a trailing `*` matches a beginning. A bare
word is the beginning of a run id, of a key or of a subject (`shop.Order:1042`), or a workflow. What is not understood is said,
with the nearest valid one, and is never silently ignored.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from nexum.core.run.standing import STANDINGS
from nexum.store.reading import Asked

QUALIFIERS = {
    "status": "running, closing, completed, failed, cancelled or terminated",
    "standing": "why it is where it is: in_doubt, no_worker, retrying, ...",
    "workflow": "the workflow's name",
    "version": "the beginning of a version",
    "node": "runs with a task at this node",
    "error": "the error's code, such as NX-R200",
    "key": "the run key",
    "subject": "what the run is about",
    "tenant": "the tenant",
    "run": "the run's id",
    "started": "how long ago: <2h (since), >1d (before)",
    "finished": "how long ago: <2h (since), >1d (before)",
    "duration": "how long it took: >30s, <5m",
}
STATUSES = ("running", "closing", "completed", "failed", "cancelled", "terminated")
_TIMED = ("started", "finished", "duration")
_UNITS = {
    "ms": 1_000,
    "s": 10**6,
    "m": 60 * 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86_400 * 10**6,
    "w": 604_800 * 10**6,
}
_TOKEN = re.compile(r'(-?)(?:([A-Za-z_][\w.]*):(?:"([^"]*)"|(\S*))|"([^"]*)"|(\S+))')
_SUBJECT = re.compile(r"[^:]*\.[A-Z]\w*")  # `shop.Order` of `shop.Order:1042`; models are written with a capital
_SPAN = re.compile(r"([<>])\s*(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)")
MOST = 20  # conditions of one query


@dataclass(frozen=True, slots=True)
class Misread:
    """A part of a query that is not understood: what stood there, what is wrong, and what may have been meant."""

    text: str
    message: str
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A query that was read. With any `problems` it must not be asked: the answer would not be to the question."""

    text: str
    asked: tuple[Asked, ...] = ()
    problems: tuple[Misread, ...] = ()


def read_filter(text: str) -> Filter:
    """Read a query."""
    asked: list[Asked] = []
    problems: list[Misread] = []
    for found in _TOKEN.finditer(text):
        minus, name, *values = found.groups()
        value = next(value for value in values if value is not None)
        if name is not None and _SUBJECT.fullmatch(name):
            name, value = None, f"{name}:{value}"
        one = _condition(minus == "-", name, value, found[0])
        if isinstance(one, Misread):
            problems.append(one)
        else:
            asked.append(one)
    if len(asked) > MOST:
        problems.append(Misread(text[:60], f"a query has at most {MOST} conditions, this one has {len(asked)}"))
    return Filter(text.strip(), tuple(asked), tuple(problems))


def _condition(negated: bool, name: str | None, value: str, text: str) -> Asked | Misread:
    if name is None:
        return Asked("word", value, negated=negated)
    if name.lower() not in QUALIFIERS:
        near = _nearest(name.lower(), tuple(QUALIFIERS))
        hint = f"; did you mean `{near}:`?" if near else f"; known are {', '.join(f'{q}:' for q in QUALIFIERS)}"
        return Misread(
            text, f"`{name}:` is not a filter{hint}", text.replace(f"{name}:", f"{near}:", 1) if near else ""
        )
    name = name.lower()
    if not value:
        return Misread(text, f"`{name}:` wants a value: {QUALIFIERS[name]}")
    if name in _TIMED:
        return _timed(name, value, negated, text)
    known = {"status": STATUSES, "standing": tuple(STANDINGS)}.get(name)
    if known and value.lower() not in known:
        near = _nearest(value.lower(), known)
        hint = f"; did you mean `{near}`?" if near else f"; known are {', '.join(known)}"
        return Misread(
            text, f"`{value}` is not a {name}{hint}", f"{'-' if negated else ''}{name}:{near}" if near else ""
        )
    return Asked(name, value, negated=negated)


def _timed(name: str, value: str, negated: bool, text: str) -> Asked | Misread:
    found = _SPAN.fullmatch(value)
    if found is None or found[3] not in _UNITS:
        return Misread(
            text,
            f"`{name}:` wants < or >, a number and a unit ({', '.join(_UNITS)}), as in `{name}:<2h`; got `{value}`",
        )
    return Asked(name, value, int(float(found[2]) * _UNITS[found[3]]), found[1], negated)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return near[0] if near else ""
