"""The verbs of `api.Store` in memory, each a transaction of its own; their docstrings stand there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from nexum.core.run.breaker import Breaker
from nexum.errors import ConfigurationError
from nexum.store.api import (
    Advance,
    CallAnswer,
    CallClaim,
    Claimed,
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
from nexum.store.memory import advancing, calls, claiming, keeping, leases, steps, sweeping
from nexum.store.memory.draining import HeldRun
from nexum.store.memory.tables import Tables
from nexum.store.memory.transaction import Change, Transaction

RECENT = 4  # events that come along with a claim, as many as from PostgreSQL's function


class MemoryStore:
    """A store that is gone with its process. `clock` gives microseconds since 1970.

    `recent` is how many of a run's newest events come along with a claim. `watch` is called after each commit with the rows
    that it changed, in order; what it raises goes to whoever committed.
    """

    dialect = "memory"

    def __init__(
        self,
        clock: Callable[[], int],
        *,
        recent: int = RECENT,
        watch: Callable[[Sequence[Change]], None] | None = None,
    ) -> None:
        self.tables = Tables()
        self._clock = clock
        self._recent = recent
        self._watch = watch
        self._held: dict[Hashable, Transaction] = {}
        self._turn = threading.RLock()

    def now(self) -> int:
        """The store's clock, in microseconds since 1970."""
        return self._clock()

    def close(self) -> None:
        """There is nothing to give back; the tables stay."""

    def contents(self) -> dict[str, dict[Any, Any]]:
        """What is committed, by table and key: a copy that stays as it is, and is cheap to compare with another one."""
        with self._turn:
            return {table.name: dict(table.rows) for table in self.tables}

    def dump(self) -> dict[str, list[str]]:
        """What is committed, as text, without the numbers that a database gives by itself."""
        with self._turn:
            return {
                table.name: sorted(
                    repr([v for name, v in zip(table.columns, table.values(row), strict=True) if name != "id"])
                    for row in table.rows.values()
                )
                for table in self.tables
            }

    def is_held(self, run_id: str) -> bool:
        """Whether an open drain holds the run's row: a step, or another drain, would meet NX-S104."""
        return (self.tables.runs.name, run_id) in self._held

    def select(self, query: object) -> list[tuple[Any, ...]]:
        """Refuse: lists, pages and sums are SQL. Raises `ConfigurationError` NX-S116."""
        raise ConfigurationError(f"the store in memory answers no queries: {query!s:.200}", code="NX-S116")

    # versions
    def register(self, row: VersionRow, *, make_default: bool) -> bool:
        """Add a version; see `api.Store`."""
        with self._transaction() as tx:
            return keeping.register(tx, row, make_default=make_default)

    def version(self, workflow: str, version: str) -> VersionRow | None:
        """One version."""
        with self._transaction() as tx:
            return tx.tables.versions.get(workflow, version)

    def default_version(self, workflow: str) -> VersionRow | None:
        """The version that new runs of a workflow get."""
        with self._transaction() as tx:
            return tx.tables.versions.having("one_default", workflow)

    def versions(self, workflow: str = "") -> Sequence[VersionRow]:
        """All versions, newest first."""
        with self._transaction() as tx:
            return keeping.all_versions(tx, workflow)

    # starting, and mail from outside
    def start(self, row: StartRow) -> Started:
        """Start a run; see `api.Store`."""
        with self._transaction() as tx:
            return advancing.start(tx, row)

    def post(self, mail: Mail) -> bool:
        """Put a fact into a run's inbox; see `api.Store`."""
        with self._transaction() as tx:
            return steps.post(tx, mail)

    # the hot path
    def step(self, record: Record, advance: Advance) -> StepAnswer:
        """Record, then advance; see `api.Store`."""
        with self._transaction() as tx:
            return steps.step(tx, record, advance)

    def record(self, record: Record) -> RecordAnswer:
        """Only record; see `api.Store`."""
        with self._transaction() as tx:
            return steps.record_only(tx, record)

    # the slow path
    @contextmanager
    def drain(self, run_id: str, *, wait: bool) -> Iterator[HeldRun | None]:
        """Hold one run. With `wait`, raises `UnavailableError` NX-S104 at once when somebody else holds it."""
        with self._turn:
            tx = Transaction(self.tables, self._held, self._clock)
            run = self.tables.runs.get(run_id)
            free = run is not None and (wait or tx.may_lock(self.tables.runs, run_id))
            if run is not None and free:
                tx.lock(self.tables.runs, run_id)
        if run is None or not free:
            yield None
            return
        held = HeldRun(tx, run.head, self._turn)
        try:
            yield held
            held.finish()
        except BaseException:
            with self._turn:
                tx.resume()
                tx.roll_back()
            raise
        with self._turn:
            tx.resume()
            self._commit(tx)

    def drain_within(self, run_id: str) -> AbstractContextManager[HeldRun | None]:
        """As `drain`: there are no callers' transactions here. Raises `UnavailableError` NX-S104 at once."""
        return self.drain(run_id, wait=True)

    def has_mail(self, run_id: str) -> bool:
        """Whether the inbox has rows for this run."""
        with self._turn:
            return bool(self.tables.inbox.of_run(run_id))

    def head(self, run_id: str) -> Head | None:
        """Where a run stands, without a lock."""
        with self._turn:
            run = self.tables.runs.get(run_id)
            return run.head if run else None

    def events_after(self, run_id: str, seq: int, limit: int = 100_000) -> Sequence[EventRow]:
        """A run's events with a higher number, in order."""
        with self._transaction() as tx:
            return keeping.events_after(tx, run_id, seq, limit)

    def mark(self, run_id: str, code: str) -> None:
        """Show an error on the row of a run; see `api.Store`."""
        with self._transaction() as tx:
            keeping.mark(tx, run_id, code)

    def snapshot(self, run_id: str) -> Snapshot | None:
        """The run's newest snapshot."""
        with self._turn:
            found = self.tables.snapshots.get(run_id)
            return Snapshot(*found[1:5]) if found else None

    def save_snapshot(self, run_id: str, snapshot: Snapshot) -> None:
        """Keep a snapshot if it is newer than the stored one."""
        with self._transaction() as tx:
            keeping.save_snapshot(tx, run_id, snapshot)

    # claims
    def claim(self, session: str, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Take READY tasks; see `api.Store`."""
        with self._transaction() as tx:
            return claiming.claim(tx, session, queues, limit, self._recent)

    def claim_one(self, session: str, key: TaskKey) -> Claimed | None:
        """Take this task if it is READY and due; see `api.Store`."""
        with self._transaction() as tx:
            return claiming.claim_one(tx, session, key, self._recent)

    def adopt(self, session: str) -> Sequence[Claimed]:
        """The tasks that this session holds by the store's knowledge."""
        with self._transaction() as tx:
            return leases.adopt(tx, session)

    def release(self, session: str, key: TaskKey, token: int, *, pause: int = 0, waits_for: str = "") -> bool:
        """Give a claimed task back that left nothing behind; see `api.Store`."""
        with self._transaction() as tx:
            return leases.release(tx, session, key, token, pause, waits_for)

    def drop_task(self, key: TaskKey, token: int) -> bool:
        """Remove a claimed task that its run does not know; False when somebody else holds it."""
        with self._transaction() as tx:
            return leases.drop_task(tx, key, token)

    # calls that a handler journals
    def claim_call(self, call: CallClaim) -> CallAnswer:
        """Claim a call if the caller still holds its task; see `api.Store`."""
        with self._transaction() as tx:
            return calls.claim_call(tx, call)

    def find_call(self, call: CallClaim) -> CallAnswer:
        """What is known of a call, without claiming it."""
        with self._transaction() as tx:
            return calls.find_call(tx, call)

    def keep_call(self, call: CallClaim, result: bytes, result_hash: str, mail: Mail) -> CallAnswer:
        """Keep the result of a call that changes nothing; see `api.Store`."""
        with self._transaction() as tx:
            return calls.keep_call(tx, call, result, result_hash, mail)

    def end_call(self, record: Record) -> bool:
        """Say that a claimed call was not made, or may have been; see `api.Store`."""
        with self._transaction() as tx:
            return calls.end_call(tx, record)

    def open_calls(self, parent: TaskKey) -> Sequence[OpenCall]:
        """The calls of a node that have no known outcome, by path."""
        with self._transaction() as tx:
            return calls.open_calls(tx, parent)

    def made_calls(self, parent: TaskKey) -> Sequence[str]:
        """The places of a node's calls that have a result; see `api.Store`."""
        with self._transaction() as tx:
            return calls.made_calls(tx, parent)

    def doubt_call(self, call: OpenCall, attempt: int, mail: Mail) -> bool:
        """A call becomes IN_DOUBT and the fact goes to the inbox; see `api.Store`."""
        with self._transaction() as tx:
            return calls.doubt_call(tx, call, attempt, mail)

    # breakers
    def breaker(self, tenant: str, name: str) -> tuple[Breaker, int]:
        """A circuit breaker and the store's clock; see `api.Store`."""
        with self._transaction() as tx:
            return keeping.breaker(tx, tenant, name), tx.now

    def keep_breaker(self, row: Breaker) -> bool:
        """Write a breaker over the revision that it was read at; False when somebody was faster."""
        with self._transaction() as tx:
            return keeping.keep_breaker(tx, row)

    # sessions
    def open_session(self, row: SessionRow) -> None:
        """Insert a live session."""
        with self._transaction() as tx:
            keeping.open_session(tx, row)

    def beat(self, sessions: Sequence[str]) -> frozenset[str]:
        """Renew leases; gives the sessions that are still live."""
        with self._transaction() as tx:
            return keeping.beat(tx, sessions)

    def end_session(self, session: str, *, proof: str) -> None:
        """Mark a session ended; see `api.Store`."""
        with self._transaction() as tx:
            keeping.end_session(tx, session, proof)

    def sessions(self, states: Sequence[str] = ("LIVE", "DRAINING")) -> Sequence[SessionRow]:
        """Sessions by state."""
        with self._transaction() as tx:
            return keeping.by_state(tx, states)

    # the sweeper
    def held_by_dead(self, limit: int) -> Sequence[Held]:
        """Claimed tasks of dead sessions; see `api.Store`."""
        with self._transaction() as tx:
            return leases.held_by_dead(tx, limit)

    def requeue(self, key: TaskKey, token: int) -> bool:
        """Give a dead session's task back; see `api.Store`."""
        with self._transaction() as tx:
            return leases.requeue(tx, key, token)

    def doubt(self, key: TaskKey, token: int, mail: Mail) -> bool:
        """A dead session's effect becomes IN_DOUBT; see `api.Store`."""
        with self._transaction() as tx:
            return leases.doubt(tx, key, token, mail)

    def proven_dead(self, limit: int) -> Sequence[Proven]:
        """Effects in doubt whose sender was proven dead since; see `api.Store`."""
        with self._transaction() as tx:
            return sweeping.proven_dead(tx, limit)

    def due_timers(self, limit: int) -> Sequence[Due]:
        """Timers that are due, oldest first."""
        with self._transaction() as tx:
            return sweeping.due_timers(tx, limit)

    def old_mail(self, older_than: int, limit: int) -> Sequence[str]:
        """Runs whose oldest mail is older (us)."""
        with self._transaction() as tx:
            return sweeping.old_mail(tx, older_than, limit)

    def ready_untold(self, older_than: int, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks that nobody announced; see `api.Store` and `nexum.store.sweeping.ready_untold`."""
        with self._transaction() as tx:
            return sweeping.ready_untold(tx, older_than, limit)

    def late_starts(self, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks whose schedule_to_start has passed."""
        with self._transaction() as tx:
            return sweeping.late_starts(tx, limit)

    def expire_start(self, key: TaskKey, mail: Mail) -> bool:
        """Take a late READY task out of the queue and put the fact into the inbox, in one commit."""
        with self._transaction() as tx:
            return leases.expire_start(tx, key, mail)

    # payloads
    def put_blob(self, tenant: str, data: bytes) -> str:
        """Keep bytes under their sha256 (hex)."""
        with self._transaction() as tx:
            return keeping.put_blob(tx, tenant, data)

    def blob(self, tenant: str, hash: str) -> bytes | None:  # noqa: A002 (the protocol's name)
        """Bytes by hash; see `api.Store`."""
        with self._transaction() as tx:
            return keeping.blob(tx, tenant, hash)

    def payload(self, run_id: str, seq: int) -> bytes | None:
        """The inline payload of one event."""
        with self._transaction() as tx:
            found = tx.tables.events.get(run_id, seq)
            return found.fact.payload if found else None

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """One transaction, committed on leaving and taken back by any exception."""
        with self._turn:
            tx = Transaction(self.tables, self._held, self._clock)
            try:
                yield tx
            except BaseException:
                tx.roll_back()
                raise
            self._commit(tx)

    def _commit(self, tx: Transaction) -> None:
        changes = tx.commit()
        if self._watch is not None and changes:
            self._watch(changes)
