"""Reading a run: head, events, mail, snapshot, payloads."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from nexum.errors import InternalError
from nexum.store import rows
from nexum.store.api import EventRow, Head, MailRow, Snapshot
from nexum.store.rows import EVENT_COLUMNS, HEAD_COLUMNS, MAIL_COLUMNS
from nexum.store.statement import Statement, Transaction

SQUEEZE = 512  # bytes from which compression is worth its time

_HEAD = Statement(f"SELECT {HEAD_COLUMNS} FROM nexum_runs WHERE run_id = :run_id")  # noqa: S608
_MARK = Statement("""
    UPDATE nexum_runs SET error_code = :code WHERE run_id = :run_id AND ended_at = 0 AND error_code <> :code""")
_EVENTS = Statement(f"""
    SELECT {EVENT_COLUMNS} FROM nexum_events WHERE run_id = :run_id AND seq > :seq ORDER BY seq LIMIT :most""")  # noqa: S608
_INBOX = Statement(f"""
    SELECT {MAIL_COLUMNS} FROM nexum_inbox WHERE run_id = :run_id ORDER BY priority, id LIMIT :most""")  # noqa: S608
_KNOWN = Statement("SELECT 1 FROM nexum_events WHERE run_id = :run_id AND dedupe = :dedupe AND dedupe > ''")
_PAYLOAD = Statement("SELECT payload FROM nexum_events WHERE run_id = :run_id AND seq = :seq")
_SNAPSHOT = Statement("SELECT seq, hash, engine, state FROM nexum_snapshots WHERE run_id = :run_id")
_SAVE_SNAPSHOT = Statement("""
    INSERT INTO nexum_snapshots (run_id, seq, hash, engine, state, at)
    VALUES (:run_id, :seq, :hash, :engine, :state, {now})
    ON CONFLICT (run_id) DO UPDATE
       SET seq = excluded.seq, hash = excluded.hash, engine = excluded.engine, state = excluded.state, at = excluded.at
     WHERE nexum_snapshots.seq < excluded.seq""")
_PUT_BLOB = Statement("""
    INSERT INTO nexum_blobs (tenant, hash, codec, size, data, touched)
    VALUES (:tenant, :hash, :codec, :size, :data, {now})
    ON CONFLICT (tenant, hash) DO UPDATE SET touched = excluded.touched""")
_BLOB = Statement("SELECT codec, data FROM nexum_blobs WHERE tenant = :tenant AND hash = :hash")


def head(tx: Transaction, run_id: str) -> Head | None:
    """Where a run stands."""
    found = tx.row(_HEAD, run_id=run_id)
    return rows.head(found) if found else None


def mark(tx: Transaction, run_id: str, code: str) -> None:
    """Show an error on the row of a run that has not ended. A projection for people: nobody decides by it."""
    tx.run(_MARK, run_id=run_id, code=code)


def events_after(tx: Transaction, run_id: str, seq: int, limit: int) -> list[EventRow]:
    """Events with a higher number, in order."""
    return [rows.event(row) for row in tx.rows(_EVENTS, run_id=run_id, seq=seq, most=limit)]


def inbox(tx: Transaction, run_id: str, limit: int) -> list[MailRow]:
    """A run's mail, urgent first."""
    return [rows.mail(row) for row in tx.rows(_INBOX, run_id=run_id, most=limit)]


def known(tx: Transaction, run_id: str, dedupes: Iterable[str]) -> frozenset[str]:
    """Which of these keys stand in the events."""
    return frozenset(key for key in dedupes if tx.row(_KNOWN, run_id=run_id, dedupe=key) is not None)


def payload(tx: Transaction, run_id: str, seq: int) -> bytes | None:
    """The inline payload of one event."""
    found = tx.row(_PAYLOAD, run_id=run_id, seq=seq)
    return bytes(found[0]) if found else None


def snapshot(tx: Transaction, run_id: str) -> Snapshot | None:
    """A run's newest snapshot."""
    found = tx.row(_SNAPSHOT, run_id=run_id)
    return Snapshot(found[0], bytes(found[1]), found[2], bytes(found[3])) if found else None


def save_snapshot(tx: Transaction, run_id: str, snapshot: Snapshot) -> None:
    """Keep a snapshot if it is newer."""
    tx.run(_SAVE_SNAPSHOT, run_id=run_id, **snapshot._asdict())


def put_blob(tx: Transaction, tenant: str, data: bytes) -> str:
    """Keep bytes under their hash; gives the hash in hex."""
    digest, codec, kept = pack(data)
    tx.run(_PUT_BLOB, tenant=tenant, hash=digest, codec=codec, size=len(data), data=kept)
    return digest.hex()


def blob(tx: Transaction, tenant: str, hash_: str) -> bytes | None:
    """Bytes by hash, checked against it."""
    found = tx.row(_BLOB, tenant=tenant, hash=bytes.fromhex(hash_))
    if found is None:
        return None
    return unpack(tenant, hash_, found[0], bytes(found[1]))


def pack(data: bytes) -> tuple[bytes, str, bytes]:
    """How bytes are kept: their sha256, the codec, and what is stored, compressed when that saves something."""
    squeezed = zlib.compress(data, 1) if len(data) >= SQUEEZE else data
    codec = "zlib" if len(squeezed) < len(data) else ""
    return hashlib.sha256(data).digest(), codec, squeezed if codec else data


def unpack(tenant: str, hash_: str, codec: str, data: bytes) -> bytes:
    """The bytes of a stored blob. Raises `InternalError` NX-S101 when they do not hash to their name."""
    try:
        data = zlib.decompress(data) if codec == "zlib" else data
    except zlib.error as error:
        raise _spoilt(tenant, hash_) from error
    if hashlib.sha256(data).hexdigest() != hash_:
        raise _spoilt(tenant, hash_)
    return data


def _spoilt(tenant: str, hash_: str) -> InternalError:
    return InternalError(f"blob {hash_} of tenant {tenant} does not hash to its name", code="NX-S101")
