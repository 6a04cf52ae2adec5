"""The store on PostgreSQL: the plain verbs, and the hot ones as one call of a function, one round trip, one commit.

Where the functions are not there, because the role that migrates may not create any, the hot verbs are plain statements in
one transaction: the same contract, dearer by a dozen round trips a step. They hold the run's row across round trips, so they
look for mail once more after they have let it go, and a client that falls silent meanwhile loses its transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nexum.store import claiming, log, postgres_calls, steps
from nexum.store.api import Advance, Claimed, EventLink, Record, RecordAnswer, StepAnswer, TaskKey
from nexum.store.database import Database
from nexum.store.draining import HeldRun
from nexum.store.statement import Statement, Transaction
from nexum.store.verbs import Verbs

FUNCTIONS = ("nexum_step_v1", "nexum_step_chain_v1", "nexum_record_v1", "nexum_claim_v1", "nexum_claim_one_v1")

# FOR NO KEY UPDATE alone, and reads only in the next statement: one that locks and reads at once can see the new row
# with the old events. FOR UPDATE would also stand in the way of inserts that refer to the run.
_SILENCE = "SET LOCAL idle_in_transaction_session_timeout = '5s'"
_BY_INDEX = "SET LOCAL enable_seqscan = off"  # statistics of tables that were empty a moment ago mislead the planner
_LIMITS = f"SET LOCAL lock_timeout = '250ms'; {_SILENCE}; {_BY_INDEX};"
_LOCK = Statement(f"{_LIMITS} SELECT 1 FROM nexum_runs WHERE run_id = :run_id FOR NO KEY UPDATE")  # noqa: S608
_PATIENT = f"SET LOCAL lock_timeout = '10s'; {_SILENCE}; {_BY_INDEX};"  # a caller has more to lose than a round
_LOCK_WITHIN = Statement(f"{_PATIENT} SELECT 1 FROM nexum_runs WHERE run_id = :run_id FOR NO KEY UPDATE")  # noqa: S608
_TRY_LOCK = Statement(f"{_LIMITS} SELECT 1 FROM nexum_runs WHERE run_id = :run_id FOR NO KEY UPDATE SKIP LOCKED")  # noqa: S608
_CLAIM = "SELECT * FROM nexum_claim_v1(%s, %s::text[], %s, %s) ORDER BY o_priority, o_created_at, 1, 2, 3, 4"
_CLAIM_ONE = "SELECT * FROM nexum_claim_one_v1(%s, %s, %s, %s, %s, %s, %s)"
_HAS_FUNCTIONS = Statement("""
    SELECT bool_and(coalesce(has_function_privilege(CAST(to_regproc(name) AS oid), 'EXECUTE'), false))
      FROM unnest(CAST(:names AS text[])) AS f (name)""")


class PostgresStore(Verbs):
    """`api.Store` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._has_functions: bool | None = None

    @property
    def has_functions(self) -> bool:
        """Whether the hot verbs are function calls; asked of the database once, when a hot verb is first used."""
        if self._has_functions is None:
            with self.database.once() as tx:
                found = tx.row(_HAS_FUNCTIONS, names=list(FUNCTIONS))
            self._has_functions = bool(found and found[0])
        return self._has_functions

    def step(self, record: Record, advance: Advance) -> StepAnswer:
        """Record, then advance; one statement."""
        # doubts and undos are rare, and no part of the functions
        if advance.doubted or advance.settled or advance.undos or not self.has_functions:
            return self._step_in_statements(record, advance)
        with self.database.alone() as tx:
            if postgres_calls.fits_chain(record, advance):
                said = postgres_calls.chain_argument(record, advance, tx.fixed)
                cas, recorded, claimed, mail, now = tx.execute(postgres_calls.CHAIN, (said,)).fetchone()[0]
                return StepAnswer(cas == 1, recorded == 1, claimed == 1, mail == 1, now)
            arguments = postgres_calls.step_arguments(record, advance, tx.fixed)
            return StepAnswer(*tx.execute(postgres_calls.STEP, arguments).fetchone())

    def _step_in_statements(self, record: Record, advance: Advance) -> StepAnswer:
        with self._statements() as tx:
            answer = steps.step(tx, record, advance)
        if not answer.recorded or answer.mail:
            return answer
        # Whoever brought mail meanwhile may have found the row busy and left it to us.
        return answer._replace(mail=self.has_mail(advance.run_id))

    def record(self, record: Record) -> RecordAnswer:
        """Only record; one statement, which never waits for the run's row."""
        if not self.has_functions:
            with self._statements() as tx:
                return steps.record_only(tx, record)
        with self.database.alone() as tx:
            found = tx.execute(postgres_calls.RECORD, postgres_calls.record_arguments(record, tx.fixed)).fetchone()
            return RecordAnswer(*found)

    def claim(self, session: str, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Take READY tasks; one statement."""
        if not self.has_functions:
            with self._statements() as tx:
                return claiming.claim(tx, session, queues, limit)
        with self.database.alone() as tx:
            found = tx.execute(_CLAIM, (session, list(queues), limit, tx.fixed)).fetchall()
        return [_claimed(row) for row in found]

    def claim_one(self, session: str, key: TaskKey) -> Claimed | None:
        """Take this task if it is READY and due; one statement."""
        if not self.has_functions:
            with self._statements() as tx:
                return claiming.claim_one(tx, session, key)
        with self.database.alone() as tx:
            found = tx.execute(_CLAIM_ONE, (session, *key, tx.fixed)).fetchone()
        return _claimed(found) if found else None

    @contextmanager
    def drain(self, run_id: str, *, wait: bool) -> Iterator[HeldRun | None]:
        """Lock one run. With `wait`, raises `UnavailableError` NX-S104 when it stays busy for 250 ms."""
        with self.database.transaction() as tx:
            held = tx.row(_LOCK if wait else _TRY_LOCK, run_id=run_id)
            head = log.head(tx, run_id) if held else None
            yield HeldRun(tx, head) if head else None

    @contextmanager
    def drain_within(self, run_id: str) -> Iterator[HeldRun | None]:
        """Lock one run inside the caller's transaction; raises `UnavailableError` NX-S104 when it stays busy for 10 s."""
        with self.database.joined() as tx:
            held = tx.row(_LOCK_WITHIN, run_id=run_id)
            head = log.head(tx, run_id) if held else None
            yield HeldRun(tx, head) if head else None

    @contextmanager
    def _statements(self) -> Iterator[Transaction]:
        """One transaction of plain statements. It waits for locks as the functions do, and never idles with them."""
        with self.database.transaction() as tx:
            tx.ahead(f"{_SILENCE}; {_BY_INDEX}")
            yield tx


def _claimed(row: Sequence[Any]) -> Claimed:
    """A claim from the columns of `nexum_claim_one_v1`."""
    kind, queue, token, deliveries, max_run, effect, result, result_hash, reference, seq, digest, now = row[5:17]
    return Claimed(
        *(TaskKey(*row[:5]), kind, queue, token, deliveries, max_run, effect, bytes(result), result_hash, reference),
        *(seq, bytes(digest), now, _recent(seq, *row[17:28]), row[28], row[29]),
    )


def _recent(last_seq: int, tenant: str, trace: str, *columns: Any) -> tuple[EventLink, ...]:
    """The run's newest events, from one array for each of their columns."""
    if columns[0] is None:
        return ()  # all of them are gone; the engine will find out
    first = last_seq - len(columns[0]) + 1
    return tuple(
        EventLink(
            seq, type_, path, visit, item, at, trace, tenant, bytes(body), bytes(payload), bytes(before), bytes(hash_)
        )
        for seq, (before, type_, path, visit, item, at, body, payload, hash_) in enumerate(
            zip(*columns, strict=True), start=first
        )
    )
