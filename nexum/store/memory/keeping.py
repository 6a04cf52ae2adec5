"""What is installed, who works, and what is read of a run: versions, sessions, heads, events, snapshots, payloads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from nexum.core.run.breaker import Breaker
from nexum.store.api import EventRow, SessionRow, Snapshot, VersionRow
from nexum.store.log import pack, unpack
from nexum.store.memory.rows import Blob, SavedState, Session
from nexum.store.memory.transaction import Transaction
from nexum.store.rows import clean
from nexum.store.rows import session as session_of
from nexum.store.shapes import EXPIRED, LATER, SILENCE

_ALIVE = ("LIVE", "DRAINING")


def register(tx: Transaction, row: VersionRow, *, make_default: bool) -> bool:
    """Add a version; a workflow has at most one default."""
    versions = tx.tables.versions
    kept = row._replace(
        state="active" if row.state == "default" else row.state,
        label=clean(row.label),
        note=clean(row.note),
        registered_at=row.registered_at or tx.now,
    )
    new = tx.keep(versions, kept)
    if make_default or (new and row.state == "default"):
        before = versions.having("one_default", row.workflow)
        if before is not None and before.version != row.version:
            tx.update(versions, before, state="active")
        tx.update(versions, versions.rows[row.workflow, row.version], state="default")
    return new


def breaker(tx: Transaction, tenant: str, name: str) -> Breaker:
    """A circuit breaker; closed, at revision 0, when nobody has written it."""
    place = clean(tenant), clean(name)
    return tx.tables.breakers.get(*place) or Breaker(*place)


def keep_breaker(tx: Transaction, row: Breaker) -> bool:
    """Write a breaker over the revision that it was read at; False when somebody was faster."""
    new = row._replace(
        tenant=clean(row.tenant),
        name=clean(row.name),
        forced=clean(row.forced),
        actor=clean(row.actor),
        reason=clean(row.reason),
        revision=row.revision + 1,
    )
    known = tx.tables.breakers.get(new.tenant, new.name)
    if known is None:
        return row.revision == 0 and tx.keep(tx.tables.breakers, new)
    if known.revision != row.revision:
        return False
    tx.update(tx.tables.breakers, known, **new._asdict())
    return True


def all_versions(tx: Transaction, workflow: str) -> list[VersionRow]:
    """Versions, newest first; of all workflows when '' is given."""
    found = [row for row in tx.tables.versions.rows.values() if workflow in ("", row.workflow)]
    return sorted(found, key=lambda row: (-row.registered_at, row.workflow, row.version))


def open_session(tx: Transaction, row: SessionRow) -> None:
    """Insert a session, or change what a live one serves; an ended session is never revived."""
    sessions = tx.tables.sessions
    queues = "\n".join(row.queues)
    new = Session(
        *(row.session, row.kind, row.host, row.pid, row.parent_pid, queues, row.slots),
        *(row.started_at or tx.now, tx.now, row.beats, row.state, row.lease, 0, ""),
    )
    if tx.keep(sessions, new):
        return
    known = sessions.rows[row.session]
    if known.state in _ALIVE:
        tx.update(sessions, known, queues=queues, slots=row.slots, state=row.state, lease=row.lease, beat_at=tx.now)


def beat(tx: Transaction, names: Sequence[str]) -> frozenset[str]:
    """Renew leases; gives those that are live."""
    alive = [row for name in sorted(set(names)) if (row := tx.tables.sessions.get(name)) and row.state in _ALIVE]
    for row in alive:
        tx.update(tx.tables.sessions, row, beat_at=tx.now, beats=row.beats + 1)
    return frozenset(row.session for row in alive)


def end_session(tx: Transaction, session: str, proof: str) -> None:
    """ENDED when it closed itself, DEAD with a proof; the first word stands, unless it rested on a lease alone."""
    row = tx.tables.sessions.get(session)
    if row is not None and row.state in _ALIVE:
        state = "DEAD" if proof else "ENDED"
        tx.update(tx.tables.sessions, row, state=state, ended_at=tx.now, proof=clean(proof))
        return
    guessed = row is not None and row.state == "DEAD" and row.proof.startswith(EXPIRED)
    if row is not None and guessed and proof and not proof.startswith(SILENCE):
        tx.update(tx.tables.sessions, row, ended_at=tx.now, proof=f"{LATER}{clean(proof)}")


def by_state(tx: Transaction, states: Sequence[str]) -> list[SessionRow]:
    """Sessions in these states, in the order of the states, then of their age."""
    found = sorted(tx.tables.sessions.rows.values(), key=lambda row: (row.started_at, row.session))
    return [session_of(row[:12]) for state in states for row in found if row.state == state]


def mark(tx: Transaction, run_id: str, code: str) -> None:
    """Show an error on the row of a run that has not ended."""
    run = tx.tables.runs.get(run_id)
    if run is not None and run.ended_at == 0 and run.error_code != code:
        tx.update(tx.tables.runs, run, error_code=code)


def events_after(tx: Transaction, run_id: str, seq: int, limit: int | None = None) -> list[EventRow]:
    """Events with a higher number, in order. They are added in no other: each comes with a compare-and-set on the run."""
    later = list(takewhile(lambda row: row.fact.seq > seq, tx.tables.events.latest(run_id)))
    return [row.fact for row in reversed(later)][:limit]


def save_snapshot(tx: Transaction, run_id: str, snapshot: Snapshot) -> None:
    """Keep a snapshot if it is newer."""
    snapshots = tx.tables.snapshots
    if tx.keep(snapshots, SavedState(run_id, *snapshot, tx.now)):
        return
    known = snapshots.rows[run_id]
    if known.seq < snapshot.seq:
        tx.update(snapshots, known, **snapshot._asdict(), at=tx.now)


def put_blob(tx: Transaction, tenant: str, data: bytes) -> str:
    """Keep bytes under their hash, or touch them; gives the hash in hex."""
    blobs = tx.tables.blobs
    digest, codec, kept = pack(data)
    if not tx.keep(blobs, Blob(tenant, digest, codec, len(data), kept, tx.now)):
        tx.update(blobs, blobs.rows[tenant, digest], touched=tx.now)
    return digest.hex()


def blob(tx: Transaction, tenant: str, hash_: str) -> bytes | None:
    """Bytes by hash, checked against it."""
    found = tx.tables.blobs.get(tenant, bytes.fromhex(hash_))
    return unpack(tenant, hash_, found.codec, found.data) if found else None
