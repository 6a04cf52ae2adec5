"""The values that a store's verbs take and give; `api` has the verbs.

Empty strings, -1 and 0 stand for "none" wherever a column belongs to a guard. Times are microseconds.
"""

from __future__ import annotations

from typing import NamedTuple

from nexum.core.ids import TaskKey


class EventRow(NamedTuple):
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


class EventLink(NamedTuple):
    """What folding an event needs, without its envelope."""

    seq: int
    type: str
    path: str
    visit: int
    item: int
    at: int
    trace: str
    tenant: str
    body: bytes
    payload: bytes
    prev_hash: bytes
    hash: bytes


class NewEffect(NamedTuple):
    """The claim of an effect that rides on its task. `ttl` is the provider's key lifetime in microseconds (0: none)."""

    key: str
    scope: str
    business_key: str
    input_hash: str
    tool: str
    policy: str
    ttl: int


class NewTask(NamedTuple):
    """A task that becomes ready. `start_by` ends schedule_to_start (0: never); `max_run` is start_to_close in us."""

    key: TaskKey
    kind: str
    queue: str
    priority: int
    not_before: int
    start_by: int
    max_run: int
    effect: NewEffect | None = None


class NewTimer(NamedTuple):
    """A timer of a run."""

    timer: str
    due: int


class SettledEffect(NamedTuple):
    """What a person, a provider or a late result says of an effect: its state now and, when it happened, its result."""

    key: str
    state: str
    result: bytes = b""
    result_hash: str = ""
    reference: str = ""


class Advance(NamedTuple):
    """A run moves on from `(seq, hash)`: events are appended and the rows that follow from them change.

    `claim` is the index in `new_tasks` that the caller wants to hold (-1: none). `status` is the run's new phase;
    `error_code` is the projection of the run's row. When `closed`, every task and timer of the run goes. `applied` lists
    effect keys to move from RECORDED to APPLIED, `doubted` those to move from CLAIMED or UNKNOWN to IN_DOUBT, `settled` what
    became known of effects otherwise; a result that a worker recorded meanwhile is not overwritten. `undos` are keys of acts
    under a business key and since when this run takes them back (0: it has given that up).
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
    settled: tuple[SettledEffect, ...] = ()
    undos: tuple[tuple[str, int], ...] = ()
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


class Mail(NamedTuple):
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


class CallClaim(NamedTuple):
    """A call that a handler is about to make, and by which right: `session` holds the task `parent` under `token`.

    `path` is where the call stands; `key` follows from the node's key and the call's name. `ttl` is in microseconds. `again`:
    an answer to the same claim was lost, so that what this session claimed in this attempt is its own, and was not made yet.
    """

    parent: TaskKey
    session: str
    token: int
    tenant: str
    key: str
    path: str
    input_hash: str
    tool: str
    policy: str
    ttl: int
    again: bool = False


class CallAnswer(NamedTuple):
    """Whether a call may be made: "" (it is claimed under `token`; make it), "reuse" (it was made: `result`), "conflict"
    (its key was used with other arguments), "wait" (another run is making it), "doubt" (it may have been made), "lost" (the
    task is not the caller's any more). `result`, `result_hash` and `reference` are those of the recorded call.
    """

    state: str
    token: int = 0
    result: bytes = b""
    result_hash: str = ""
    reference: str = ""


class OpenCall(NamedTuple):
    """A call of a node that has no known outcome."""

    tenant: str
    key: str
    path: str
    token: int
    state: str
    policy: str
    ttl: int
    first_sent_at: int


class EffectOutcome(NamedTuple):
    """What became of a claimed effect. `state` is APPLIED (it happened), FAILED (it did not) or UNKNOWN or IN_DOUBT."""

    tenant: str
    key: str
    token: int
    state: str
    result: bytes = b""
    result_hash: str = ""
    reference: str = ""
    raw: bytes = b""


class Record(NamedTuple):
    """One attempt ended: the task, its fencing token, the fact as mail, and, for an effect, its outcome."""

    task: TaskKey
    session: str
    token: int
    mail: Mail
    effect: EffectOutcome | None = None


class StepAnswer(NamedTuple):
    """`cas`: the advance was applied. `recorded`: the result is durable (False: the caller is a zombie, evidence is kept,
    and a result goes to its run as a late one).

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
    recorded the business key with the same input), "conflict" (the key exists with another input), "wait" (another run holds
    the business key: the task went back to READY with a later `not_before` and is *not* the caller's), "doubt" (an earlier
    attempt's outcome is unknown and the policy forbids to send again, or another run left the business key without knowing
    what became of it, and nobody else will find out), "undone" (another run has done it, and takes it back since `undo_from`),
    "taken" (this is the first attempt to undo an act whose result `holder` has taken). `result`, `result_hash` and `reference`
    are those of the recorded effect (reuse). `holder` is RUN/NODE of the other run that the key was found with ("" without
    one). `last_seq` and `last_hash` say where the run stands, and `recent` are its newest events in order, or fewer, or none:
    with luck they save a read.
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
    recent: tuple[EventLink, ...] = ()
    holder: str = ""
    undo_from: int = 0


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


SILENCE = "silence: "  # how a word about a death begins that the parent did not see
EXPIRED = f"{SILENCE}lease: "  # and when it rests on a lease alone: the process may yet be alive, and send
LATER = "later: "  # and when the process of a session whose lease had run out is proven to be dead after all


class Proven(NamedTuple):
    """An effect in doubt whose only sender was believed to be silent, and has been proven dead at `ended_at` since."""

    key: TaskKey
    ended_at: int


class Held(NamedTuple):
    """A claimed task of a dead session, with its effect's policy, ttl in us and first sending.

    `policy` is "" where nothing can have been sent: there is no effect, or it belongs to another cell, whose result was to
    be reused.

    `silent`: the session fell silent, as when its whole machine goes; nobody saw the process itself die. `expired`: its
    death is not proven at all, only its lease has run out. The session ended at `ended_at`, having held since `claimed_at`.
    """

    claimed: Claimed
    policy: str
    ttl: int
    sent_at: int
    silent: bool = False
    expired: bool = False
    claimed_at: int = 0
    ended_at: int = 0


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
