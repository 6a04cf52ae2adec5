"""Registered versions and live sessions: what is installed, and who works."""

from __future__ import annotations

from collections.abc import Sequence

from nexum.crash import crash
from nexum.store import rows
from nexum.store.api import SessionRow, VersionRow
from nexum.store.rows import SESSION_COLUMNS, VERSION_COLUMNS, clean
from nexum.store.shapes import EXPIRED, LATER, SILENCE
from nexum.store.statement import Insert, Statement, Transaction
from nexum.store.tables import versions

_INSERT_VERSION = Insert(versions, keep=True)
_STEP_DOWN = Statement("""
    UPDATE nexum_versions SET state = 'active' WHERE workflow = :workflow AND state = 'default' AND version <> :version""")
_STEP_UP = Statement("""
    UPDATE nexum_versions SET state = 'default' WHERE workflow = :workflow AND version = :version""")
_VERSION = Statement(f"""
    SELECT {VERSION_COLUMNS} FROM nexum_versions WHERE workflow = :workflow AND version = :version""")  # noqa: S608
_DEFAULT = Statement(f"""
    SELECT {VERSION_COLUMNS} FROM nexum_versions WHERE workflow = :workflow AND state = 'default'""")  # noqa: S608
_VERSIONS = Statement(f"""
    SELECT {VERSION_COLUMNS} FROM nexum_versions WHERE workflow = :workflow OR :workflow = ''
     ORDER BY registered_at DESC, workflow, version""")  # noqa: S608

_OPEN = Statement("""
    INSERT INTO nexum_sessions (session, kind, host, pid, parent_pid, queues, slots, started_at, beat_at, beats, state, lease,
        ended_at, proof)
    VALUES (:session, :kind, :host, :pid, :parent_pid, :queues, :slots, :started_at, {now}, :beats, :state, :lease, 0, '')
    ON CONFLICT (session) DO UPDATE
       SET queues = excluded.queues, slots = excluded.slots, state = excluded.state, lease = excluded.lease,
           beat_at = excluded.beat_at
     WHERE nexum_sessions.state IN ('LIVE', 'DRAINING')""")
_BEAT = Statement("""
    UPDATE nexum_sessions SET beat_at = {now}, beats = beats + 1
     WHERE session = :session AND state IN ('LIVE', 'DRAINING')""")
_END = Statement("""
    UPDATE nexum_sessions SET state = :state, ended_at = {now}, proof = :proof
     WHERE session = :session AND state IN ('LIVE', 'DRAINING')""")
_PROVE = Statement("""
    UPDATE nexum_sessions SET ended_at = {now}, proof = :proof
     WHERE session = :session AND state = 'DEAD' AND proof LIKE :expired""")
_SESSIONS = Statement(f"""
    SELECT {SESSION_COLUMNS} FROM nexum_sessions WHERE state = :state ORDER BY started_at, session""")  # noqa: S608


def register(tx: Transaction, row: VersionRow, *, make_default: bool) -> bool:
    """Add a version; a workflow has at most one default, which a partial unique index holds."""
    kept = row._replace(
        state="active" if row.state == "default" else row.state,
        label=clean(row.label),
        note=clean(row.note),
        registered_at=row.registered_at or tx.now(),
    )
    new = tx.insert(_INSERT_VERSION, [kept]) == 1
    crash("deploy.register", workflow=row.workflow)
    if make_default or (new and row.state == "default"):
        tx.run(_STEP_DOWN, workflow=row.workflow, version=row.version)
        tx.run(_STEP_UP, workflow=row.workflow, version=row.version)
        crash("deploy.switch_default", workflow=row.workflow)
    return new


def version(tx: Transaction, workflow: str, version: str) -> VersionRow | None:
    """One version."""
    found = tx.row(_VERSION, workflow=workflow, version=version)
    return rows.version(found) if found else None


def default_version(tx: Transaction, workflow: str) -> VersionRow | None:
    """The default of a workflow."""
    found = tx.row(_DEFAULT, workflow=workflow)
    return rows.version(found) if found else None


def all_versions(tx: Transaction, workflow: str) -> list[VersionRow]:
    """Versions, newest first; of all workflows when '' is given."""
    return [rows.version(row) for row in tx.rows(_VERSIONS, workflow=workflow)]


def open_session(tx: Transaction, row: SessionRow) -> None:
    """Insert a session, or change what a live one serves; an ended session is never revived."""
    values = {**row._asdict(), "queues": "\n".join(row.queues), "started_at": row.started_at or tx.now()}
    del values["beat_at"]
    tx.run(_OPEN, **values)


def beat(tx: Transaction, names: Sequence[str]) -> frozenset[str]:
    """Renew leases, in one order for everybody; gives those that are live."""
    return frozenset(name for name in sorted(set(names)) if tx.run(_BEAT, session=name))


def end_session(tx: Transaction, session: str, proof: str) -> None:
    """ENDED when it closed itself, DEAD with a proof; the first word stands, unless it rested on a lease alone."""
    if tx.run(_END, session=session, proof=clean(proof), state="DEAD" if proof else "ENDED"):
        return
    if proof and not proof.startswith(SILENCE):
        tx.run(_PROVE, session=session, proof=f"{LATER}{clean(proof)}", expired=f"{EXPIRED}%")


def by_state(tx: Transaction, states: Sequence[str]) -> list[SessionRow]:
    """Sessions in these states."""
    return [rows.session(row) for state in states for row in tx.rows(_SESSIONS, state=state)]
