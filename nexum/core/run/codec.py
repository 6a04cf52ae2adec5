"""Event bodies as canonical JSON and back, and the hash that chains one event to the one before.

Fields with their default value are left out, so a field added later changes no recorded byte. Tuples are written as
lists; references as `[hash, size, seq]`. The chain covers everything in the envelope that the engine relies on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import orjson

from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.run.events import BODIES, RUN, Body, Cell, Error, Usage
from nexum.core.values import Ref

SCHEMA = 1  # version of the bodies' form, stored beside each event

_Encoder = Callable[[Any], Any]


def encode(body: Body) -> bytes:
    """The canonical bytes of a body, without its cell (which stands in columns of its own)."""
    return _bytes(_spell(body))


def encode_mail(body: Body) -> bytes:
    """The canonical bytes of a body on its way into a run: with its cell."""
    spelled = _spell(body)
    if type(body) in _WITH_CELL:
        spelled["cell"] = list(cell_of(body))
    return _bytes(spelled)


def decode_mail(type_name: str, data: bytes) -> Body:
    """Read a body that `encode_mail` wrote."""
    return decode(type_name, Cell(*from_bytes(data).get("cell", RUN)), data)


def _bytes(spelled: dict[str, Any]) -> bytes:
    """The canonical bytes of a body. It holds text and whole numbers only, which the fast encoder spells as the slow one."""
    try:
        return orjson.dumps(spelled, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits, or half of a surrogate pair
        return canonical_bytes(spelled)


def _spell(body: Body) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for name, default, write, _ in _PLANS[type(body)]:
        value = getattr(body, name)
        if value != default:
            spelled[name] = write(value)
    return spelled


def decode(type_name: str, cell: Cell, data: bytes) -> Body:
    """Read a body back. Raises `KeyError` for a type this engine does not know."""
    kind = BODIES[type_name]
    spelled = from_bytes(data)
    values: dict[str, Any] = {name: read(spelled[name]) for name, _, _, read in _PLANS[kind] if name in spelled}
    if kind in _WITH_CELL:
        values["cell"] = cell
    return kind(**values)


def cell_of(body: Body) -> Cell:
    """Where the event stands; events about the run itself stand at `RUN`."""
    return getattr(body, "cell", RUN) if type(body) in _WITH_CELL else RUN


def attempt_of(body: Body) -> int:
    """The attempt that the event speaks of, 0 where there is none."""
    return getattr(body, "attempt", 0)


def chain(previous: bytes, seq: int, type_name: str, cell: Cell, at: int, body: bytes, payload: bytes) -> bytes:
    """The hash of an event: 32 bytes over the previous hash, the envelope, the body and the inline payload."""
    head = f"{seq}\n{type_name}\n{cell.path}\n{cell.visit}\n{cell.item}\n{at}\n{len(body)}\n".encode()
    return hashlib.sha256(previous + head + body + payload).digest()


GENESIS = bytes(32)


def _same(value: Any) -> Any:
    return value


def _ref(value: Any) -> Ref:
    return Ref(value[0], value[1], value[2])


def _write_error(error: Error) -> dict[str, Any]:
    return {k: v for k in ("code", "message", "type", "retryable", "trace") if (v := getattr(error, k))}


def _read_error(value: dict[str, Any]) -> Error:
    return Error(**{"message": "", **value})


def _write_usage(usage: Usage) -> dict[str, Any]:
    return {f.name: v for f in fields(usage) if (v := getattr(usage, f.name)) != f.default}


def _pairs(value: Any) -> list[Any]:
    return [[name, None if ref is None else list(ref)] for name, ref in value]


def _read_pairs(value: Any) -> tuple[tuple[str, Ref | None], ...]:
    return tuple((name, None if ref is None else _ref(ref)) for name, ref in value)


CODERS: dict[str, tuple[_Encoder, _Encoder]] = {
    "Ref": (list, _ref),
    "Ref | None": (list, _ref),
    "Error": (_write_error, _read_error),
    "Error | None": (_write_error, _read_error),
    "Usage | None": (_write_usage, lambda value: Usage(**value)),
    "tuple[tuple[str, Ref | None], ...]": (_pairs, _read_pairs),
    "tuple[Cell, ...]": (lambda cells: [list(c) for c in cells], lambda value: tuple(Cell(*c) for c in value)),
    "Cell": (list, lambda value: Cell(*value)),
    "str": (_same, _same),
    "int": (_same, _same),
    "bool": (_same, _same),
}

_ABOUT_RUN = frozenset({"RunClosing", "RunFailed"})  # their `cell` is content, not a place
_WITH_CELL: frozenset[type[Body]] = frozenset(
    kind for name, kind in BODIES.items() if name not in _ABOUT_RUN and any(f.name == "cell" for f in fields(kind))
)


def _plan(kind: type[Body]) -> tuple[tuple[str, Any, _Encoder, _Encoder], ...]:
    rows = []
    for field in fields(kind):
        if field.name == "cell" and kind in _WITH_CELL:
            continue
        write, read = CODERS[str(field.type)]
        rows.append((field.name, None if field.default is MISSING else field.default, write, read))
    return tuple(rows)


_PLANS: dict[type[Body], tuple[tuple[str, Any, _Encoder, _Encoder], ...]] = {
    kind: _plan(kind) for kind in BODIES.values()
}
