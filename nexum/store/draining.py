"""The slow path: one transaction that holds one run's row, reads, folds elsewhere, and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nexum.store import advancing, log
from nexum.store.api import Advance, EventRow, Head, MailRow, NewTask, TaskKey
from nexum.store.rows import clean, mail_row
from nexum.store.statement import Insert, Statement, Transaction
from nexum.store.tables import inbox_dead, late_arrivals

_INSERT_DEAD = Insert(inbox_dead, keep=True, without=("id",))
_INSERT_LATE = Insert(late_arrivals, keep=True, without=("id",))
_TAKE = Statement("DELETE FROM nexum_inbox WHERE id = :id")
_MINE = """
    SELECT 1 FROM nexum_tasks
     WHERE run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt
       AND state = 'CLAIMED' AND session = :session AND token = :token"""
_HOLDS = Statement(f"{_MINE} FOR UPDATE", sqlite=_MINE)
ALL = 1_000_000_000


class HeldRun:
    """A run whose row is locked, in an open transaction."""

    def __init__(self, tx: Transaction, head: Head) -> None:
        self.head = head
        self._tx = tx

    def events_after(self, seq: int) -> Sequence[EventRow]:
        """The run's events with a higher number, in order."""
        return log.events_after(self._tx, self.head.run_id, seq, ALL)

    def inbox(self, limit: int = 200) -> Sequence[MailRow]:
        """The run's mail, urgent first, then in order of arrival."""
        return log.inbox(self._tx, self.head.run_id, limit)

    def known(self, dedupes: Iterable[str]) -> frozenset[str]:
        """Which of these dedupe keys stand in the run's events already."""
        return log.known(self._tx, self.head.run_id, dedupes)

    def apply(self, advance: Advance) -> None:
        """Append and change rows; the run's `head` moves along, so that one drain may apply several advances.

        Tasks become READY, whatever `Advance.claim` says. Raises `InternalError`: NX-S106 when the run is not at
        `(seq, hash)`, NX-S105 when a guard refuses a row.
        """
        advancing.apply(self._tx, advance, self._tx.now())
        self.head = self.head._replace(seq=advance.new_seq, hash=advance.new_hash, status=advance.status)

    def holds(self, key: TaskKey, session: str, token: int) -> bool:
        """Whether this session holds a task under this token; nobody takes it away before the end of the transaction."""
        return self._tx.row(_HOLDS, **key._asdict(), session=session, token=token) is not None

    def cancel_ready(self, keys: Sequence[TaskKey], *, untried: bool = False) -> frozenset[TaskKey]:
        """Take READY tasks out of the queue by compare-and-set; gives those that were; see `api.Drain.cancel_ready`."""
        return advancing.cancel_ready(self._tx, tuple(keys), untried=untried)

    def restore(self, tenant: str, tasks: Sequence[NewTask]) -> None:
        """Put tasks back into the queue, READY; those that are there stay as they are."""
        advancing.restore(self._tx, tenant, tasks, self._tx.now())

    def take(self, ids: Sequence[int]) -> None:
        """Remove mail that was folded or dropped."""
        for id_ in ids:
            self._tx.run(_TAKE, id=id_)

    def bury(self, row: MailRow, error: str) -> None:
        """Move mail that cannot be folded to `inbox_dead`."""
        now = self._tx.now()
        self._tx.insert(_INSERT_DEAD, [(*mail_row(row.mail, now), clean(error), now)])
        self._tx.run(_TAKE, id=row.id)

    def keep_late(self, row: MailRow) -> None:
        """Move mail that came after the run's end to `late_arrivals`."""
        now = self._tx.now()
        self._tx.insert(_INSERT_LATE, [(*mail_row(row.mail, now), now)])
        self._tx.run(_TAKE, id=row.id)
