"""What the engine asks of a database: some forty verbs, each one transaction of its own.

`postgres.py` and `sqlite.py` implement them; one conformance suite holds both to the same behaviour. Every verb is one
transaction of its own unless it is called on a `Drain`. Times are microseconds since 1970 by the store's clock. The
values that verbs take and give are in `shapes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from nexum.core.ids import TaskKey
from nexum.core.run.breaker import Breaker
from nexum.store.shapes import (
    Advance,
    CallAnswer,
    CallClaim,
    Claimed,
    Due,
    EffectOutcome,
    EventLink,
    EventRow,
    Head,
    Held,
    Mail,
    MailRow,
    NewEffect,
    NewTask,
    NewTimer,
    OpenCall,
    Proven,
    Record,
    RecordAnswer,
    SessionRow,
    SettledEffect,
    Snapshot,
    Started,
    StartRow,
    StepAnswer,
    VersionRow,
)

__all__ = [
    "Advance",
    "CallAnswer",
    "CallClaim",
    "Claimed",
    "Drain",
    "Due",
    "EffectOutcome",
    "EventLink",
    "EventRow",
    "Head",
    "Held",
    "Mail",
    "MailRow",
    "NewEffect",
    "NewTask",
    "NewTimer",
    "OpenCall",
    "Proven",
    "Record",
    "RecordAnswer",
    "SessionRow",
    "SettledEffect",
    "Snapshot",
    "StartRow",
    "Started",
    "StepAnswer",
    "Store",
    "TaskKey",
    "VersionRow",
]


class Drain(Protocol):
    """One transaction that holds a run's row. Leaving the context normally commits; an exception rolls back."""

    head: Head

    def events_after(self, seq: int) -> Sequence[EventRow]:
        """The run's events with a higher number, in order."""

    def inbox(self, limit: int = 200) -> Sequence[MailRow]:
        """The run's mail, urgent first, then in order of arrival."""

    def known(self, dedupes: Iterable[str]) -> frozenset[str]:
        """Which of these dedupe keys stand in the run's events already."""

    def apply(self, advance: Advance) -> None:
        """Append and change rows; `InternalError` when the run is not at `(seq, hash)`."""

    def holds(self, key: TaskKey, session: str, token: int) -> bool:
        """Whether this session holds a task under this token; nobody takes it away before the end of the transaction."""

    def cancel_ready(self, keys: Sequence[TaskKey], *, untried: bool = False) -> frozenset[TaskKey]:
        """Take READY tasks out of the queue by compare-and-set; gives those that were still READY.

        With `untried`, only those whose effect nobody was given before, or whoever was has said that it did not happen.
        """

    def restore(self, tenant: str, tasks: Sequence[NewTask]) -> None:
        """Put tasks back into the queue, READY; those that are there stay as they are.

        One whose effect a dead process had claimed counts as delivered once.
        """

    def take(self, ids: Sequence[int]) -> None:
        """Remove mail that was folded or dropped."""

    def bury(self, row: MailRow, error: str) -> None:
        """Move mail that cannot be folded to `inbox_dead`."""

    def keep_late(self, row: MailRow) -> None:
        """Move mail that came after the run's end to `late_arrivals`."""


class Store(Protocol):
    """The engine's database."""

    dialect: str

    def now(self) -> int:
        """The store's clock."""

    def close(self) -> None:
        """Give back all connections."""

    # versions
    def register(self, row: VersionRow, *, make_default: bool) -> bool:
        """Add a version (idempotent); True when it was new. Makes it its workflow's default when asked."""

    def version(self, workflow: str, version: str) -> VersionRow | None:
        """One version."""

    def default_version(self, workflow: str) -> VersionRow | None:
        """The version that new runs of a workflow get."""

    def versions(self, workflow: str = "") -> Sequence[VersionRow]:
        """All versions, newest first."""

    # starting, and mail from outside
    def start(self, row: StartRow) -> Started:
        """Insert start key, run, events and tasks; joins the caller's transaction when the store was opened on one.

        A run key that exists inserts nothing and gives the run that has it.
        """

    def post(self, mail: Mail) -> bool:
        """Put a fact into a run's inbox; False when its dedupe key is known already."""

    # the hot path
    def step(self, record: Record, advance: Advance) -> StepAnswer:
        """Record, then advance, in one commit; record survives when the advance does not."""

    def record(self, record: Record) -> RecordAnswer:
        """Only record; idempotent, never waits for the run's row."""

    # the slow path
    def drain(self, run_id: str, *, wait: bool) -> AbstractContextManager[Drain | None]:
        """Lock one run (None: it is busy and `wait` is False, or it does not exist)."""

    def drain_within(self, run_id: str) -> AbstractContextManager[Drain | None]:
        """Lock one run inside the caller's transaction, which commits or takes back everything; waits ten seconds at most.

        For the engine alone, at the end of a transaction that it opened itself: whoever else holds a run's row across round
        trips stops everybody.
        """

    def has_mail(self, run_id: str) -> bool:
        """Whether the inbox has rows for this run."""

    def head(self, run_id: str) -> Head | None:
        """Where a run stands, without a lock."""

    def events_after(self, run_id: str, seq: int, limit: int = 100_000) -> Sequence[EventRow]:
        """A run's events with a higher number, in order."""

    def mark(self, run_id: str, code: str) -> None:
        """Show an error on the row of a run that has not ended; the next event takes it away. Decides nothing."""

    def snapshot(self, run_id: str) -> Snapshot | None:
        """The run's newest snapshot."""

    def save_snapshot(self, run_id: str, snapshot: Snapshot) -> None:
        """Keep a snapshot if it is newer than the stored one."""

    # claims
    def claim(self, session: str, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Take READY tasks of these queues that are due, by priority and age; skips what others hold."""

    def claim_one(self, session: str, key: TaskKey) -> Claimed | None:
        """Take this task if it is READY and due."""

    def adopt(self, session: str) -> Sequence[Claimed]:
        """The tasks that this session holds by the database's knowledge."""

    def release(self, session: str, key: TaskKey, token: int, *, pause: int = 0, waits_for: str = "") -> bool:
        """Give a claimed task back that left nothing behind: READY again, in `pause` us, and its effect unclaimed.

        `waits_for` is the key of another run's call that its handler has met.
        """

    def drop_task(self, key: TaskKey, token: int) -> bool:
        """Remove a claimed task that its run does not know; False when somebody else holds it."""

    # calls that a handler journals
    def claim_call(self, call: CallClaim) -> CallAnswer:
        """Claim a call if the caller still holds its task, in one statement; see `CallAnswer`."""

    def find_call(self, call: CallClaim) -> CallAnswer:
        """What is known of a call, without claiming it; "" when nothing is."""

    def keep_call(self, call: CallClaim, result: bytes, result_hash: str, mail: Mail) -> CallAnswer:
        """Keep the result of a call that changes nothing, without a claim, and put the fact into the inbox, in one commit.

        Gives "" when it was kept, else what somebody else has kept.
        """

    def end_call(self, record: Record) -> bool:
        """Say that a claimed call was not made (FAILED), or may have been (UNKNOWN); False for an old token: evidence.

        That it was not made this time says nothing of who claimed it before and did not say how that ended: it is UNKNOWN.
        """

    def open_calls(self, parent: TaskKey) -> Sequence[OpenCall]:
        """The calls of a node that have no known outcome, by path."""

    def made_calls(self, parent: TaskKey) -> Sequence[str]:
        """The places of a node's calls that have a result; not of those that change nothing."""

    def doubt_call(self, call: OpenCall, attempt: int, mail: Mail) -> bool:
        """A call becomes IN_DOUBT and the fact goes to the inbox; False when its outcome was recorded meanwhile."""

    # breakers
    def breaker(self, tenant: str, name: str) -> tuple[Breaker, int]:
        """A circuit breaker and the store's clock; one that nobody has written is closed, at revision 0."""

    def keep_breaker(self, row: Breaker) -> bool:
        """Write a breaker over the revision that it was read at, as the next one; False when somebody was faster."""

    # sessions
    def open_session(self, row: SessionRow) -> None:
        """Insert a live session."""

    def beat(self, sessions: Sequence[str]) -> frozenset[str]:
        """Renew leases; gives the sessions that are still live by the database's knowledge."""

    def end_session(self, session: str, *, proof: str) -> None:
        """Mark a session ended, with the proof of its process's death ("" when it closed itself)."""

    def sessions(self, states: Sequence[str] = ("LIVE", "DRAINING")) -> Sequence[SessionRow]:
        """Sessions by state."""

    # the sweeper
    def held_by_dead(self, limit: int) -> Sequence[Held]:
        """Claimed tasks of sessions that are ENDED or DEAD."""

    def requeue(self, key: TaskKey, token: int) -> bool:
        """Give a dead session's task back, READY, under its token; False when somebody was faster.

        Its effect stays CLAIMED; the next claim of the task takes it over with a higher token.
        """

    def doubt(self, key: TaskKey, token: int, mail: Mail) -> bool:
        """A dead session's effect becomes IN_DOUBT and the fact goes to the inbox; False when somebody was faster."""

    def proven_dead(self, limit: int) -> Sequence[Proven]:
        """Effects in doubt whose only sender had fallen silent and was proven dead since; only read."""

    def due_timers(self, limit: int) -> Sequence[Due]:
        """Timers that are due, oldest first; only read."""

    def old_mail(self, older_than: int, limit: int) -> Sequence[str]:
        """Runs whose oldest mail is older (us)."""

    def ready_untold(self, older_than: int, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY, due tasks that nobody announced for this long (us), with their queue; counts them as announced."""

    def late_starts(self, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks that nobody ever began and whose schedule_to_start has passed; only read."""

    def expire_start(self, key: TaskKey, mail: Mail) -> bool:
        """Take a late READY task out of the queue by compare-and-set and put the fact into the inbox, in one commit."""

    # payloads
    def put_blob(self, tenant: str, data: bytes) -> str:
        """Keep bytes under their sha256 (hex); touches the blob when it exists."""

    def blob(self, tenant: str, hash: str) -> bytes | None:  # noqa: A002 (a hash is what it is)
        """Bytes by hash; `InternalError` (NX-S101) when they do not hash to their name."""

    def payload(self, run_id: str, seq: int) -> bytes | None:
        """The inline payload of one event."""
