"""The verbs of `api.Store`, each a transaction around plain statements. The dialects override what they do better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, Self

from sqlalchemy import Select

from nexum.core.run.breaker import Breaker
from nexum.store import breaking, calls, claiming, leases, log, starting, steps, sweeping, versions
from nexum.store.api import (
    Advance,
    CallAnswer,
    CallClaim,
    Claimed,
    Drain,
    Due,
    EventRow,
    Head,
    Held,
    Mail,
    OpenCall,
    Proven,
    Record,
    RecordAnswer,
    SessionRow,
    Snapshot,
    Started,
    StartRow,
    StepAnswer,
    TaskKey,
    VersionRow,
)
from nexum.store.database import Database
from nexum.store.limited import LimitedDatabase
from nexum.store.statement import DIALECTS


class Verbs(ABC):
    """A store on a database. `drain` is the dialect's own; docstrings of the verbs stand in `api.Store`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dialect = database.dialect

    def now(self) -> int:
        """The store's clock, in microseconds since 1970."""
        with self.database.once() as tx:
            return tx.now()

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    def within(self, seconds: float) -> Self:
        """This store for pages: a read that takes longer raises `UnavailableError` NX-S109; see `limited`."""
        other = copy(self)
        other.database = LimitedDatabase(self.database, seconds)
        return other

    def select(self, query: Select[Any]) -> list[tuple[Any, ...]]:
        """Rows of a query over `nexum.store.tables`, for pages and reports; bytes come as the driver gives them."""
        compiled = query.compile(dialect=DIALECTS[self.dialect], compile_kwargs={"render_postcompile": True})
        with self.database.once() as tx:
            return list(tx.execute(str(compiled), dict(compiled.params)).fetchall())

    # versions
    def register(self, row: VersionRow, *, make_default: bool) -> bool:
        """Add a version; see `api.Store`."""
        with self.database.transaction() as tx:
            return versions.register(tx, row, make_default=make_default)

    def version(self, workflow: str, version: str) -> VersionRow | None:
        """One version."""
        with self.database.once() as tx:
            return versions.version(tx, workflow, version)

    def default_version(self, workflow: str) -> VersionRow | None:
        """The version that new runs of a workflow get."""
        with self.database.once() as tx:
            return versions.default_version(tx, workflow)

    def versions(self, workflow: str = "") -> Sequence[VersionRow]:
        """All versions, newest first."""
        with self.database.once() as tx:
            return versions.all_versions(tx, workflow)

    # starting, and mail from outside
    def start(self, row: StartRow) -> Started:
        """Start a run; see `api.Store`."""
        with self.database.joined() as tx:
            return starting.start(tx, row)

    def post(self, mail: Mail) -> bool:
        """Put a fact into a run's inbox; see `api.Store`."""
        with self.database.joined() as tx:
            return steps.post(tx, mail)

    # the hot path
    def step(self, record: Record, advance: Advance) -> StepAnswer:
        """Record, then advance; see `api.Store`."""
        with self.database.transaction() as tx:
            return steps.step(tx, record, advance)

    def record(self, record: Record) -> RecordAnswer:
        """Only record; see `api.Store`."""
        with self.database.transaction() as tx:
            return steps.record_only(tx, record)

    # the slow path
    @abstractmethod
    def drain(self, run_id: str, *, wait: bool) -> AbstractContextManager[Drain | None]:
        """Lock one run; see `api.Store`."""

    @abstractmethod
    def drain_within(self, run_id: str) -> AbstractContextManager[Drain | None]:
        """Lock one run inside the caller's transaction; see `api.Store`."""

    def has_mail(self, run_id: str) -> bool:
        """Whether the inbox has rows for this run."""
        with self.database.once() as tx:
            return tx.row(steps.HAS_MAIL, run_id=run_id) is not None

    def head(self, run_id: str) -> Head | None:
        """Where a run stands, without a lock."""
        with self.database.once() as tx:
            return log.head(tx, run_id)

    def events_after(self, run_id: str, seq: int, limit: int = 100_000) -> Sequence[EventRow]:
        """A run's events with a higher number, in order."""
        with self.database.once() as tx:
            return log.events_after(tx, run_id, seq, limit)

    def mark(self, run_id: str, code: str) -> None:
        """Show an error on the row of a run; see `api.Store`."""
        with self.database.alone() as tx:
            log.mark(tx, run_id, code)

    def snapshot(self, run_id: str) -> Snapshot | None:
        """The run's newest snapshot."""
        with self.database.once() as tx:
            return log.snapshot(tx, run_id)

    def save_snapshot(self, run_id: str, snapshot: Snapshot) -> None:
        """Keep a snapshot if it is newer than the stored one."""
        with self.database.alone() as tx:
            log.save_snapshot(tx, run_id, snapshot)

    # claims
    def claim(self, session: str, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Take READY tasks; see `api.Store`."""
        with self.database.transaction() as tx:
            return claiming.claim(tx, session, queues, limit)

    def claim_one(self, session: str, key: TaskKey) -> Claimed | None:
        """Take this task if it is READY and due; see `api.Store`."""
        with self.database.transaction() as tx:
            return claiming.claim_one(tx, session, key)

    def adopt(self, session: str) -> Sequence[Claimed]:
        """The tasks that this session holds by the database's knowledge."""
        with self.database.alone() as tx:
            return leases.adopt(tx, session)

    def release(self, session: str, key: TaskKey, token: int, *, pause: int = 0, waits_for: str = "") -> bool:
        """Give a claimed task back that left nothing behind; see `api.Store`."""
        with self.database.transaction() as tx:
            return leases.release(tx, session, key, token, pause, waits_for)

    def drop_task(self, key: TaskKey, token: int) -> bool:
        """Remove a claimed task that its run does not know; False when somebody else holds it."""
        with self.database.alone() as tx:
            return leases.drop_task(tx, key, token)

    # calls that a handler journals
    def claim_call(self, call: CallClaim) -> CallAnswer:
        """Claim a call if the caller still holds its task; see `api.Store`."""
        with self.database.transaction() as tx:
            return calls.claim_call(tx, call)

    def find_call(self, call: CallClaim) -> CallAnswer:
        """What is known of a call, without claiming it."""
        with self.database.transaction() as tx:
            return calls.find_call(tx, call)

    def keep_call(self, call: CallClaim, result: bytes, result_hash: str, mail: Mail) -> CallAnswer:
        """Keep the result of a call that changes nothing; see `api.Store`."""
        with self.database.transaction() as tx:
            return calls.keep_call(tx, call, result, result_hash, mail)

    def end_call(self, record: Record) -> bool:
        """Say that a claimed call was not made, or may have been; see `api.Store`."""
        with self.database.transaction() as tx:
            return calls.end_call(tx, record)

    def open_calls(self, parent: TaskKey) -> Sequence[OpenCall]:
        """The calls of a node that have no known outcome, by path."""
        with self.database.once() as tx:
            return calls.open_calls(tx, parent)

    def made_calls(self, parent: TaskKey) -> Sequence[str]:
        """The places of a node's calls that have a result; see `api.Store`."""
        with self.database.once() as tx:
            return calls.made_calls(tx, parent)

    def doubt_call(self, call: OpenCall, attempt: int, mail: Mail) -> bool:
        """A call becomes IN_DOUBT and the fact goes to the inbox; see `api.Store`."""
        with self.database.transaction() as tx:
            return calls.doubt_call(tx, call, attempt, mail)

    # breakers
    def breaker(self, tenant: str, name: str) -> tuple[Breaker, int]:
        """A circuit breaker and the store's clock; see `api.Store`."""
        with self.database.once() as tx:
            return breaking.read(tx, tenant, name)

    def keep_breaker(self, row: Breaker) -> bool:
        """Write a breaker over the revision that it was read at; False when somebody was faster."""
        with self.database.alone() as tx:
            return breaking.keep(tx, row)

    # sessions
    def open_session(self, row: SessionRow) -> None:
        """Insert a live session."""
        with self.database.alone() as tx:
            versions.open_session(tx, row)

    def beat(self, sessions: Sequence[str]) -> frozenset[str]:
        """Renew leases; gives the sessions that are still live."""
        with self.database.transaction() as tx:
            return versions.beat(tx, sessions)

    def end_session(self, session: str, *, proof: str) -> None:
        """Mark a session ended; see `api.Store`."""
        with self.database.alone() as tx:
            versions.end_session(tx, session, proof)

    def sessions(self, states: Sequence[str] = ("LIVE", "DRAINING")) -> Sequence[SessionRow]:
        """Sessions by state."""
        with self.database.once() as tx:
            return versions.by_state(tx, states)

    # the sweeper
    def held_by_dead(self, limit: int) -> Sequence[Held]:
        """Claimed tasks of dead sessions; see `api.Store`."""
        with self.database.once() as tx:
            return leases.held_by_dead(tx, limit)

    def requeue(self, key: TaskKey, token: int) -> bool:
        """Give a dead session's task back; see `api.Store`."""
        with self.database.transaction() as tx:
            return leases.requeue(tx, key, token)

    def doubt(self, key: TaskKey, token: int, mail: Mail) -> bool:
        """A dead session's effect becomes IN_DOUBT; see `api.Store`."""
        with self.database.transaction() as tx:
            return leases.doubt(tx, key, token, mail)

    def proven_dead(self, limit: int) -> Sequence[Proven]:
        """Effects in doubt whose sender was proven dead since; see `api.Store`."""
        with self.database.once() as tx:
            return sweeping.proven_dead(tx, limit)

    def due_timers(self, limit: int) -> Sequence[Due]:
        """Timers that are due, oldest first."""
        with self.database.once() as tx:
            return sweeping.due_timers(tx, limit)

    def old_mail(self, older_than: int, limit: int) -> Sequence[str]:
        """Runs whose oldest mail is older (us)."""
        with self.database.once() as tx:
            return sweeping.old_mail(tx, older_than, limit)

    def ready_untold(self, older_than: int, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks that nobody announced; see `api.Store` and `sweeping.ready_untold`."""
        with self.database.transaction() as tx:
            return sweeping.ready_untold(tx, older_than, limit)

    def late_starts(self, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks whose schedule_to_start has passed."""
        with self.database.once() as tx:
            return sweeping.late_starts(tx, limit)

    def expire_start(self, key: TaskKey, mail: Mail) -> bool:
        """Take a late READY task out of the queue and put the fact into the inbox, in one commit."""
        with self.database.transaction() as tx:
            return leases.expire_start(tx, key, mail)

    # payloads
    def put_blob(self, tenant: str, data: bytes) -> str:
        """Keep bytes under their sha256 (hex); joins the caller's transaction, as the start that refers to them does."""
        with self.database.joined() as tx:
            return log.put_blob(tx, tenant, data)

    def blob(self, tenant: str, hash: str) -> bytes | None:  # noqa: A002 (the protocol's name)
        """Bytes by hash; see `api.Store`."""
        with self.database.once() as tx:
            return log.blob(tx, tenant, hash)

    def payload(self, run_id: str, seq: int) -> bytes | None:
        """The inline payload of one event."""
        with self.database.once() as tx:
            return log.payload(tx, run_id, seq)
