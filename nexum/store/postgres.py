"""The store on PostgreSQL: the plain verbs, and the hot ones as one call of a function, one round trip, one commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nexum.store import log, postgres_calls
from nexum.store.api import Advance, Claimed, Record, RecordAnswer, StepAnswer, TaskKey
from nexum.store.draining import HeldRun
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs

# FOR NO KEY UPDATE alone, and reads only in the next statement: one that locks and reads at once can see the new row
# with the old events. FOR UPDATE would also stand in the way of inserts that refer to the run.
_LIMITS = (
    "SET LOCAL lock_timeout = '250ms'; SET LOCAL idle_in_transaction_session_timeout = '5s';"
    " SET LOCAL enable_seqscan = off;"  # statistics of tables that were empty a moment ago mislead the planner
)
_LOCK = Statement(f"{_LIMITS} SELECT 1 FROM nexum_runs WHERE run_id = :run_id FOR NO KEY UPDATE")  # noqa: S608
_TRY_LOCK = Statement(f"{_LIMITS} SELECT 1 FROM nexum_runs WHERE run_id = :run_id FOR NO KEY UPDATE SKIP LOCKED")  # noqa: S608
_CLAIM = "SELECT * FROM nexum_claim_v1(%s, %s::text[], %s, %s) ORDER BY o_priority, o_created_at, 1, 2, 3, 4"
_CLAIM_ONE = "SELECT * FROM nexum_claim_one_v1(%s, %s, %s, %s, %s, %s, %s)"


class PostgresStore(Verbs):
    """`api.Store` on PostgreSQL."""

    def step(self, record: Record, advance: Advance) -> StepAnswer:
        """Record, then advance; one statement."""
        if advance.doubted:  # rare, and no part of the functions
            return super().step(record, advance)
        with self.database.alone() as tx:
            if postgres_calls.fits_chain(record, advance):
                sql, values = postgres_calls.chain_call(record, advance, tx.fixed)
            else:
                sql, values = postgres_calls.STEP, postgres_calls.step_arguments(record, advance, tx.fixed)
            return StepAnswer(*tx.execute(sql, values).fetchone())

    def record(self, record: Record) -> RecordAnswer:
        """Only record; one statement, which never waits for the run's row."""
        with self.database.alone() as tx:
            found = tx.execute(postgres_calls.RECORD, postgres_calls.record_arguments(record, tx.fixed)).fetchone()
            return RecordAnswer(*found)

    def claim(self, session: str, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Take READY tasks; one statement."""
        with self.database.alone() as tx:
            found = tx.execute(_CLAIM, (session, list(queues), limit, tx.fixed)).fetchall()
        return [_claimed(row) for row in found]

    def claim_one(self, session: str, key: TaskKey) -> Claimed | None:
        """Take this task if it is READY and due; one statement."""
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


def _claimed(row: Sequence[Any]) -> Claimed:
    key, rest = TaskKey(*row[:5]), row[5:]
    return Claimed._make((key, *rest[:6], bytes(rest[6]), *rest[7:10], bytes(rest[10]), rest[11]))
