"""What the options of nodes and the fields of policies may hold, and what to write instead of a value that does not fit.

The type checker sees the same mistakes; this is for those who do not use one. Ranges are checked further on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, NamedTuple

from nexum.core.canonical import NotCanonicalError, canonical_bytes
from nexum.errors.misfits import got
from nexum.sdk.handles import Handle
from nexum.sdk.policies import Breaker, Dedupes, Reconcile, Retry, Timeouts, Undo


class Misfit(NamedTuple):
    """A value that cannot be there: the option or field, and what to say about it."""

    name: str
    message: str


class Allowed(NamedTuple):
    """A kind of value: whether one fits, and how to name the kind."""

    fits: Callable[[Any], bool]
    wanted: str


def misfits(given: Mapping[str, Any]) -> Iterator[Misfit]:
    """The options of a node that hold a value of a wrong type."""
    for name, value in given.items():
        allowed = _OPTIONS.get(name)
        if allowed is not None and not allowed.fits(value):
            yield Misfit(name, f"`{name}=` is {got(value)}, not {allowed.wanted}")
        elif name == "settings":
            yield from _unspelt(value)


def misfits_of(policy: Retry | Timeouts | Dedupes | Reconcile | Undo | Breaker) -> Iterator[Misfit]:
    """The fields of a policy that hold a value of a wrong type."""
    for field in fields(policy):
        value = getattr(policy, field.name)
        allowed = _FIELDS.get((type(policy), field.name))
        if allowed is not None and not allowed.fits(value):
            wanted = allowed.wanted
            if "timedelta" in wanted and _is_number(value):
                wanted = f"a timedelta, for example timedelta(seconds={got(value)})"
            yield Misfit(field.name, f"{field.name} is {got(value)}, not {wanted}")


def _unspelt(settings: Mapping[str, Any]) -> Iterator[Misfit]:
    """Settings stand in the version, so each must have one spelling."""
    try:
        canonical_bytes(dict(settings))
    except NotCanonicalError as error:
        yield Misfit("settings", f"`settings=` cannot be written as JSON: {error.path}: {error.why}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_node(value: object) -> bool:
    return isinstance(value, Handle | str)


def _is_function(value: object) -> bool:
    """A node is no such function: it would run in every run, not only in doubt."""
    return callable(value) and not isinstance(value, Handle)


def _is_exception(value: object) -> bool:
    return _is_text(value) or (isinstance(value, type) and issubclass(value, BaseException))


def _is_list(value: object, fits: Callable[[Any], bool]) -> bool:
    """A text is a sequence of texts too, which nobody means."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(map(fits, value))


def _of(kind: type, example: str) -> Allowed:
    return Allowed(lambda value: isinstance(value, kind), f"a {kind.__name__}, for example {example}")


_TEXT = Allowed(_is_text, "a text")
_LENGTH = _of(timedelta, "timedelta(seconds=5)")
_LIMIT = Allowed(lambda value: value is None or isinstance(value, timedelta), f"{_LENGTH.wanted}, or None")
_SHARE = Allowed(_is_number, "a number")
_EXCEPTIONS = Allowed(
    lambda value: _is_list(value, _is_exception), "a tuple of exception classes or their names, for example (OSError,)"
)

_OPTIONS: Mapping[str, Allowed] = {
    "after": Allowed(
        lambda value: _is_node(value) or _is_list(value, _is_node), "a node, the name of one, or a list of them"
    ),
    "retry": _of(Retry, "Retry(max_attempts=5)"),
    "timeouts": _of(Timeouts, "Timeouts(start_to_close=timedelta(seconds=30))"),
    "priority": Allowed(_is_whole, "a whole number between -9 and 9"),
    "tool": _TEXT,
    "provider": Allowed(
        lambda value: value is None or isinstance(value, Dedupes),
        "a Dedupes, for example Dedupes(ttl=timedelta(hours=24))",
    ),
    "reconcile": Allowed(
        lambda value: value is None or isinstance(value, Reconcile) or _is_function(value),
        "a function that asks the provider, or a Reconcile, for example Reconcile(find_refund)",
    ),
    "breaker": Allowed(
        lambda value: value is None or isinstance(value, Breaker), "a Breaker, for example Breaker(failures=5)"
    ),
    "reference": _TEXT,
    "compensate": Allowed(
        lambda value: value is None or isinstance(value, Undo) or _is_function(value),
        "a function, or an Undo, for example Undo(cancel, retry=Retry(max_attempts=10))",
    ),
    "pivot": Allowed(lambda value: isinstance(value, bool), "True or False"),
    "model": _TEXT,
    "fallback": Allowed(lambda value: _is_list(value, _is_text), "a list of models"),
    "repair": Allowed(_is_whole, "a whole number between 0 and 20"),
    "settings": Allowed(lambda value: isinstance(value, Mapping), 'a dict, for example {"temperature": 0}'),
}

_FIELDS: Mapping[tuple[type, str], Allowed] = {
    (Retry, "max_attempts"): Allowed(_is_whole, "a whole number"),
    (Retry, "first_wait"): _LENGTH,
    (Retry, "factor"): _SHARE,
    (Retry, "ceiling"): _LENGTH,
    (Retry, "jitter"): _SHARE,
    (Retry, "retry_on"): _EXCEPTIONS,
    (Retry, "never_on"): _EXCEPTIONS,
    (Timeouts, "schedule_to_start"): _LIMIT,
    (Timeouts, "start_to_close"): _LIMIT,
    (Timeouts, "schedule_to_close"): _LIMIT,
    (Timeouts, "heartbeat"): _LIMIT,
    (Dedupes, "ttl"): _LENGTH,
    (Dedupes, "stored_errors"): Allowed(lambda value: isinstance(value, bool), "True or False"),
    (Dedupes, "not_executed"): Allowed(
        lambda value: _is_list(value, _is_whole), "a tuple of HTTP statuses, for example (503,)"
    ),
    (Breaker, "failures"): Allowed(_is_whole, "a whole number"),
    (Breaker, "within"): _LENGTH,
    (Breaker, "open_for"): _LENGTH,
    (Breaker, "probes"): Allowed(_is_whole, "a whole number"),
    (Breaker, "name"): _TEXT,
    (Reconcile, "ask"): Allowed(lambda value: _is_function(value), "a function that asks the provider"),
    (Reconcile, "settle"): _LENGTH,
    (Reconcile, "gap"): _LENGTH,
    (Reconcile, "retry"): _OPTIONS["retry"],
    (Reconcile, "timeouts"): _OPTIONS["timeouts"],
    (Undo, "handler"): Allowed(lambda value: _is_function(value), "a function"),
    **{(Undo, name): _OPTIONS[name] for name in ("tool", "retry", "timeouts", "provider", "reconcile", "reference")},
}
