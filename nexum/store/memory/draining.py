"""The slow path: a transaction that holds one run's row across round trips, and is parked between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from nexum.errors import InternalError
from nexum.store.api import Advance, EventRow, Head, Mail, MailRow, NewTask, TaskKey
from nexum.store.memory import advancing, keeping, steps
from nexum.store.memory.rows import DeadLetter, LateLetter, Letter
from nexum.store.memory.transaction import Transaction
from nexum.store.rows import clean, mail_row


class HeldRun:
    """A run whose row is held, in an open transaction; each verb is a round trip. `turn` is the store's."""

    def __init__(self, tx: Transaction, head: Head, turn: AbstractContextManager[object]) -> None:
        self.head = head
        self._tx = tx
        self._turn = turn
        self._failed = False

    def events_after(self, seq: int) -> Sequence[EventRow]:
        """The run's events with a higher number, in order."""
        with self._trip() as tx:
            return keeping.events_after(tx, self.head.run_id, seq)

    def inbox(self, limit: int = 200) -> Sequence[MailRow]:
        """The run's mail, urgent first, then in order of arrival."""
        with self._trip() as tx:
            letters = sorted(tx.tables.inbox.of_run(self.head.run_id), key=lambda letter: (letter.priority, letter.id))
            return [MailRow(letter.id, Mail(*letter[1:])) for letter in letters[:limit]]

    def known(self, dedupes: Iterable[str]) -> frozenset[str]:
        """Which of these dedupe keys stand in the run's events already."""
        with self._trip() as tx:
            return frozenset(key for key in dedupes if steps.is_event(tx, self.head.run_id, key))

    def apply(self, advance: Advance) -> None:
        """Append and change rows; `head` moves along. Raises as `nexum.store.draining.HeldRun.apply` does."""
        with self._trip() as tx:
            advancing.apply(tx, advance)
        self.head = self.head._replace(seq=advance.new_seq, hash=advance.new_hash, status=advance.status)

    def holds(self, key: TaskKey, session: str, token: int) -> bool:
        """Whether this session holds a task under this token; nobody takes it away before the end of the transaction."""
        with self._trip() as tx:
            task = tx.tables.tasks.rows.get(key)
            if task is None or (task.state, task.session, task.token) != ("CLAIMED", session, token):
                return False
            tx.lock(tx.tables.tasks, key)
            return True

    def cancel_ready(self, keys: Sequence[TaskKey], *, untried: bool = False) -> frozenset[TaskKey]:
        """Take READY tasks out of the queue by compare-and-set; gives those that were; see `api.Drain.cancel_ready`."""
        with self._trip() as tx:
            return advancing.cancel_ready(tx, keys, untried=untried)

    def restore(self, tenant: str, tasks: Sequence[NewTask]) -> None:
        """Put tasks back into the queue, READY; those that are there stay as they are."""
        with self._trip() as tx:
            advancing.restore(tx, tenant, tasks)

    def take(self, ids: Sequence[int]) -> None:
        """Remove mail that was folded or dropped."""
        with self._trip() as tx:
            self._take(tx, ids)

    def bury(self, row: MailRow, error: str) -> None:
        """Move mail that cannot be folded to `inbox_dead`."""
        with self._trip() as tx:
            dead = tx.tables.inbox_dead
            moved = (tx.tables.number(dead), *mail_row(row.mail, tx.now), clean(error), tx.now)
            tx.keep(dead, DeadLetter._make(moved))
            self._take(tx, [row.id])

    def keep_late(self, row: MailRow) -> None:
        """Move mail that came after the run's end to `late_arrivals`."""
        with self._trip() as tx:
            late = tx.tables.late_arrivals
            moved = (tx.tables.number(late), *mail_row(row.mail, tx.now), tx.now)
            tx.keep(late, LateLetter._make(moved))
            self._take(tx, [row.id])

    def finish(self) -> None:
        """Write for good what was parked. Raises `InternalError` NX-X100 after a trip that failed: nothing may be kept."""
        if self._failed:
            raise InternalError(f"a failed transaction on run {self.head.run_id} was to be committed")

    def abort(self) -> None:
        """Take back what was parked and let the run go, as a server does to a client that says nothing for too long."""
        with self._turn:
            self._failed = True
            self._tx.resume()
            self._tx.roll_back()

    def _take(self, tx: Transaction, ids: Sequence[int]) -> None:
        letters: dict[int, Letter] = {letter.id: letter for letter in tx.tables.inbox.of_run(self.head.run_id)}
        for id_ in ids:
            if id_ in letters:
                tx.delete(tx.tables.inbox, letters[id_])

    @contextmanager
    def _trip(self) -> Iterator[Transaction]:
        """One round trip. After one that failed nothing may be kept, as in a database."""
        with self._turn:
            self._tx.resume()
            try:
                yield self._tx
            except BaseException:
                self._failed = True
                raise
            finally:
                self._tx.park()
