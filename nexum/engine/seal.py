"""Events become rows: encoded, stamped, and chained by hash to what came before."""

from __future__ import annotations

from collections.abc import Sequence

from nexum.core.run.codec import SCHEMA, attempt_of, cell_of, chain, decode, encode, encode_mail
from nexum.core.run.events import Cell
from nexum.core.run.fold import Event
from nexum.core.run.state import State
from nexum.store.api import EventLink, EventRow
from nexum.version import __version__

ENGINE = __version__


def seal(
    state: State,
    previous: bytes,
    events: Sequence[Event],
    *,
    dedupe: str,
    payload: bytes,
    actor: str,
    trace: str,
) -> tuple[EventRow, ...]:
    """Rows for consecutive events; the first is the fact that carries the dedupe key, the payload and the actor.

    The fact is spelled as its mail was, cell included, so that record and event are the same bytes on the wire.
    """
    rows: list[EventRow] = []
    for place, event in enumerate(events):
        body = encode_mail(event.body) if place == 0 else encode(event.body)
        cell = cell_of(event.body)
        name = type(event.body).__name__
        inline = payload if place == 0 else b""
        digest = chain(previous, event.seq, name, cell, event.at, body, inline)
        rows.append(
            EventRow(
                seq=event.seq,
                type=name,
                path=cell.path,
                visit=cell.visit,
                item=cell.item,
                attempt=attempt_of(event.body),
                at=event.at,
                actor=actor if place == 0 else "engine",
                trace=trace,
                tenant=state.tenant,
                engine=ENGINE,
                schema=SCHEMA,
                dedupe=dedupe if place == 0 else "",
                body=body,
                payload=inline,
                prev_hash=previous,
                hash=digest,
            )
        )
        previous = digest
    return tuple(rows)


def unseal(row: EventRow | EventLink) -> Event:
    """The event of a row."""
    return Event(row.seq, row.at, decode(row.type, Cell(row.path, row.visit, row.item), row.body))
