"""What the engine asks of a database: two dozen verbs, the values they take, the values they give.

`postgres.py` and `sqlite.py` implement them; one conformance suite holds both to the same behaviour. Every verb is one
transaction of its own unless it is called on a `Drain`. Times are microseconds since 1970 by the store's clock.
Empty strings, -1 and 0 stand for "none" wherever a column belongs to a guard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TaskKey(NamedTuple):
    """One attempt of one cell of one run."""

    run_id: str
    path: str
    visit: int
    item: int
    attempt: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as stored. `body` is canonical JSON; `payload` the inline payload or empty; hashes are 32 raw bytes."""

    seq: int
    type: str
    path: str
    visit: int
    item: int
    attempt: int
    at: int
    actor: str
    trace: str
    tenant: str
    engine: str
    schema: int
    dedupe: str
    body: bytes
    payload: bytes
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class NewEffect:
    """The claim of an effect that rides on its task. `ttl` is the provider's key lifetime in microseconds (0: none)."""

    key: str
    scope: str
    business_key: str
    input_hash: str
    tool: str
    policy: str
    ttl: int


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that becomes ready. `start_by` ends schedule_to_start (0: never); `max_run` is start_to_close in us."""

    key: TaskKey
    kind: str
    queue: str
    priority: int
    not_before: int
    start_by: int
    max_run: int
    effect: NewEffect | None = None


@dataclass(frozen=True, slots=True)
class NewTimer:
    """A timer of a run."""

    timer: str
    due: int


@dataclass(frozen=True, slots=True)
class Advance:
    """A run moves on from `(seq, hash)`: events are appended and the rows that follow from them change.

    `claim` is the index in `new_tasks` that the caller wants to hold (-1: none). `status` is the run's new phase;
    `error_code` is the projection of the run's row. When `closed`, every task and timer of the run goes. `applied` lists
    effect keys to move from RECORDED to APPLIED, `doubted` those to move from CLAIMED or UNKNOWN to IN_DOUBT.
    """

    run_id: str
    tenant: str
    seq: int
    hash: bytes
    events: tuple[EventRow, ...]
    status: str
    drop_tasks: tuple[TaskKey, ...] = ()
    new_tasks: tuple[NewTask, ...] = ()
    claim: int = -1
    set_timers: tuple[NewTimer, ...] = ()
    clear_timers: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    closed: bool = False
    error_code: str = ""

    @property
    def new_seq(self) -> int:
        """The run's last sequence number afterwards."""
        return self.events[-1].seq

    @property
    def new_hash(self) -> bytes:
        """The run's last hash afterwards."""
        return self.events[-1].hash


@dataclass(frozen=True, slots=True)
class Mail:
    """A fact on its way into a run: type and body of the event it becomes, and its dedupe key.

    Lower `priority` is taken first: -1 for cancel and terminate, 0 otherwise.
    """

    run_id: str
    dedupe: str
    type: str
    body: bytes
    payload: bytes = b""
    priority: int = 0
    actor: str = ""
    trace: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class EffectOutcome:
    """What became of a claimed effect. `state` is APPLIED (it happened), FAILED (it did not) or UNKNOWN or IN_DOUBT."""

    tenant: str
    key: str
    token: int
    state: str
    result: bytes = b""
    result_hash: str = ""
    reference: str = ""
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """One attempt ended: the task, its fencing token, the fact as mail, and, for an effect, its outcome."""

    task: TaskKey
    session: str
    token: int
    mail: Mail
    effect: EffectOutcome | None = None


class StepAnswer(NamedTuple):
    """`cas`: the advance was applied. `recorded`: the result is durable (False: the caller is a zombie, evidence is kept).

    `claimed`: the task named by `Advance.claim` belongs to the caller, with token 1. `mail`: the inbox has rows for this
    run. `now`: the store's clock.
    """

    cas: bool
    recorded: bool
    claimed: bool
    mail: bool
    now: int


class RecordAnswer(NamedTuple):
    """`recorded` False: zombie, evidence kept. `known`: the fact already stood in events or inbox."""

    recorded: bool
    known: bool


class Head(NamedTuple):
    """Where a run stands."""

    run_id: str
    workflow: str
    version: str
    tenant: str
    status: str
    seq: int
    hash: bytes
    trace: str


class Claimed(NamedTuple):
    """A task that now belongs to a session. `token` fences it; `max_run` is its start_to_close in us; `now` the clock.

    `effect` is how the claim of its effect went: "" (no effect, or its effect is claimed now), "reuse" (another run has
    recorded the business key with the same input), "conflict" (the key exists with another input), "wait" (another run
    holds the business key: the task went back to READY with a later `not_before` and is *not* the caller's), "doubt" (an
    earlier attempt's outcome is unknown and the policy forbids to send again). `result`, `result_hash` and `reference`
    are those of the recorded effect (reuse). `last_seq` and `last_hash` say where the run stands.
    """

    key: TaskKey
    kind: str
    queue: str
    token: int
    deliveries: int
    max_run: int
    effect: str
    result: bytes
    result_hash: str
    reference: str
    last_seq: int
    last_hash: bytes
    now: int


class StartRow(NamedTuple):
    """A run to be started: `advance` carries its first events and tasks (from seq 0); `input_hash` guards the run key."""

    workflow: str
    version: str
    run_key: str
    input_hash: str
    subject: str
    priority: int
    trace: str
    actor: str
    advance: Advance


class Started(NamedTuple):
    """The run that the key names. `existing`: it was there before; `input_hash` is the one it was started with."""

    run_id: str
    existing: bool
    input_hash: str


class MailRow(NamedTuple):
    """One row of the inbox."""

    id: int
    mail: Mail


class Due(NamedTuple):
    """A timer that is due."""

    run_id: str
    timer: str
    due: int


class Held(NamedTuple):
    """A claimed task of a dead session, with its effect's policy, ttl in us and first sending ("", 0, 0 without one)."""

    claimed: Claimed
    policy: str
    ttl: int
    sent_at: int


class SessionRow(NamedTuple):
    """A live process that may hold claims: one row per worker child, scheduler or web process."""

    session: str
    kind: str
    host: str
    pid: int
    parent_pid: int
    queues: tuple[str, ...]
    slots: int
    started_at: int
    beat_at: int
    beats: int
    state: str
    lease: int


class VersionRow(NamedTuple):
    """One registered version. `state` is active, default or retired."""

    workflow: str
    version: str
    state: str
    graph: bytes
    label: str
    note: str
    actor: str
    registered_at: int


class Snapshot(NamedTuple):
    """A folded state at a sequence number, by one engine version."""

    seq: int
    hash: bytes
    engine: str
    state: bytes


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

    def cancel_ready(self, keys: Sequence[TaskKey]) -> frozenset[TaskKey]:
        """Take READY tasks out of the queue by compare-and-set; gives those that were still READY."""

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

    def has_mail(self, run_id: str) -> bool:
        """Whether the inbox has rows for this run."""

    def head(self, run_id: str) -> Head | None:
        """Where a run stands, without a lock."""

    def events_after(self, run_id: str, seq: int, limit: int = 100_000) -> Sequence[EventRow]:
        """A run's events with a higher number, in order."""

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

    def release(self, session: str, key: TaskKey, token: int) -> bool:
        """Give a claimed task back that was certainly not begun: READY again, and its effect unclaimed."""

    def drop_task(self, key: TaskKey, token: int) -> bool:
        """Remove a claimed task that its run does not know; False when somebody else holds it."""

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

    def due_timers(self, limit: int) -> Sequence[Due]:
        """Timers that are due, oldest first; only read."""

    def old_mail(self, older_than: int, limit: int) -> Sequence[str]:
        """Runs whose oldest mail is older (us)."""

    def ready_untold(self, older_than: int, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY, due tasks that nobody announced for this long (us), with their queue; counts them as announced."""

    def late_starts(self, limit: int) -> Sequence[tuple[TaskKey, str]]:
        """READY tasks whose schedule_to_start has passed; only read."""

    def expire_start(self, key: TaskKey, mail: Mail) -> bool:
        """Take a late READY task out of the queue by compare-and-set and put the fact into the inbox, in one commit."""

    # payloads
    def put_blob(self, tenant: str, data: bytes) -> str:
        """Keep bytes under their sha256 (hex); touches the blob when it exists."""

    def blob(self, tenant: str, hash: str) -> bytes | None:
        """Bytes by hash; `InternalError` (NX-S101) when they do not hash to their name."""

    def payload(self, run_id: str, seq: int) -> bytes | None:
        """The inline payload of one event."""
