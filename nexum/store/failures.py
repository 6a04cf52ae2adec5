"""The drivers' errors in Nexum's words. The tables below are the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nexum.core.canonical import legible
from nexum.errors import ConfigurationError, InputError, InternalError, NexumError, UnavailableError
from nexum.errors.misfits import got

# SQLSTATE, by its first characters; the longest match wins.
_BY_STATE: dict[str, tuple[type[NexumError], str]] = {
    "08": (UnavailableError, "NX-S102"),  # connection exception
    "57P": (UnavailableError, "NX-S102"),  # the server goes down
    "40": (UnavailableError, "NX-S103"),  # deadlock, serialization
    "53": (UnavailableError, "NX-S103"),  # disk full, out of memory, too many connections
    "57014": (UnavailableError, "NX-S103"),  # statement timeout, cancel
    "55P03": (UnavailableError, "NX-S104"),  # lock timeout
    "25P03": (UnavailableError, "NX-S102"),  # idle in transaction for too long
    "25006": (UnavailableError, "NX-S103"),  # read only: a standby, or a full disk
    "23": (InternalError, "NX-S105"),
    "22": (InternalError, "NX-S105"),
    "42P01": (ConfigurationError, "NX-S110"),
    "42703": (ConfigurationError, "NX-S111"),
    "42883": (ConfigurationError, "NX-S111"),
}
GONE = frozenset({"NX-S100", "NX-S102"})


def from_state(error: Exception, state: str) -> NexumError | None:
    """The error for an SQLSTATE; None when the state says nothing to us."""
    for length in (5, 3, 2):
        found = _BY_STATE.get(state[:length])
        if found is not None:
            return _made(found, error)
    return None


def from_driver(error: Exception) -> NexumError:
    """The error for anything a driver raised: by SQLSTATE, by class name, or a bug of ours."""
    state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None) or ""
    found = from_state(error, state) if state else None
    if found is not None:
        return found
    kind, words = type(error).__name__, str(error)
    if "no such table" in words:
        return _made((ConfigurationError, "NX-S110"), error)
    if "no such column" in words:
        return _made((ConfigurationError, "NX-S111"), error)
    if kind == "IntegrityError":
        return _made((InternalError, "NX-S105"), error)
    sqlite = getattr(error, "sqlite_errorname", "")
    if sqlite:
        return _made((UnavailableError, "NX-S103"), error)
    if kind in ("OperationalError", "InterfaceError", "DatabaseError"):
        return _made((UnavailableError, "NX-S102"), error)
    return _made((InternalError, "NX-X100"), error)


def was_cancelled(error: NexumError) -> bool:
    """Whether the database ended a statement because it took too long, or because somebody told it to."""
    cause = error.__cause__
    return "57014" in (getattr(cause, "pgcode", ""), getattr(cause, "sqlstate", ""))


def unstorable(error: ValueError, values: Mapping[str, object] | Sequence[object] | None = None) -> NexumError:
    """A text that no text column can hold; `values` are those of the statement, of which the first such text is shown."""
    named = values.items() if isinstance(values, Mapping) else (("", value) for value in values or ())
    for name, value in named:
        if isinstance(value, str) and ("\x00" in value or legible(value) != value):
            wrong = "a NUL character" if "\x00" in value else "half of a surrogate pair"
            what = f"{name} {got(value)}".strip()
            return InputError(f"the text {what} cannot be stored: it holds {wrong}", code="NX-S107")
    return InputError(f"a text cannot be stored: {str(error).rstrip('.')}", code="NX-S107")


def _made(what: tuple[type[NexumError], str], error: Exception) -> NexumError:
    kind, code = what
    lines = str(error).strip().splitlines()
    return kind(lines[0] if lines else type(error).__name__, code=code)
