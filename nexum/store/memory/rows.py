"""The rows of the tables in memory: one frozen tuple for each table, with the schema's columns in the schema's order."""

from __future__ import annotations

from typing import NamedTuple

from nexum.core.ids import TaskKey
from nexum.store.api import EventRow, Head


class Run(NamedTuple):
    """Lock and summary of a run."""

    run_id: str
    tenant: str
    workflow: str
    version: str
    run_key: str
    input_hash: str
    subject: str
    status: str
    last_seq: int
    last_hash: bytes
    session: str
    priority: int
    trace: str
    actor: str
    error_code: str
    created_at: int
    updated_at: int
    ended_at: int

    @property
    def head(self) -> Head:
        """Where the run stands."""
        return Head(
            self.run_id,
            self.workflow,
            self.version,
            self.tenant,
            self.status,
            self.last_seq,
            self.last_hash,
            self.trace,
        )


class StartKey(NamedTuple):
    """Which key started what."""

    tenant: str
    workflow: str
    run_key: str
    run_id: str
    input_hash: str
    created_at: int


class Event(NamedTuple):
    """An event of a run; its other columns are those of `fact`."""

    run_id: str
    fact: EventRow


class SavedState(NamedTuple):
    """A snapshot."""

    run_id: str
    seq: int
    hash: bytes
    engine: str
    state: bytes
    at: int


class Blob(NamedTuple):
    """Bytes under their hash."""

    tenant: str
    hash: bytes
    codec: str
    size: int
    data: bytes
    touched: int


class Task(NamedTuple):
    """One attempt of a cell: READY, or CLAIMED by a session."""

    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    tenant: str
    kind: str
    queue: str
    state: str
    priority: int
    not_before: int
    start_by: int
    max_run: int
    created_at: int
    token: int
    session: str
    deliveries: int
    claimed_at: int
    told_at: int
    told_count: int
    effect_key: str
    effect_scope: str
    business_key: str
    input_hash: str
    tool: str
    policy: str
    ttl: int
    waits_for: str

    @property
    def key(self) -> TaskKey:
        """The task's name."""
        return TaskKey(*self[:5])


class Timer(NamedTuple):
    """A timer of a run."""

    run_id: str
    timer: str
    due: int


class Letter(NamedTuple):
    """A fact in the inbox."""

    id: int
    run_id: str
    dedupe: str
    type: str
    body: bytes
    payload: bytes
    priority: int
    actor: str
    trace: str
    at: int


class DeadLetter(NamedTuple):
    """A fact that could not be folded."""

    id: int
    run_id: str
    dedupe: str
    type: str
    body: bytes
    payload: bytes
    priority: int
    actor: str
    trace: str
    at: int
    error: str
    buried_at: int


class LateLetter(NamedTuple):
    """A fact that came after the run's end."""

    id: int
    run_id: str
    dedupe: str
    type: str
    body: bytes
    payload: bytes
    priority: int
    actor: str
    trace: str
    at: int
    kept_at: int


class Effect(NamedTuple):
    """An act on the outside world."""

    tenant: str
    key: str
    scope: str
    business_key: str
    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    token: int
    session: str
    state: str
    before: str
    input_hash: str
    tool: str
    policy: str
    ttl: int
    first_sent_at: int
    claimed_at: int
    recorded_at: int
    result: bytes
    result_hash: str
    reference: str
    raw: bytes
    undo_from: int = 0
    taken_by: str = ""


class Evidence(NamedTuple):
    """A report that came too late to be the effect's own."""

    id: int
    tenant: str
    key: str
    token: int
    run_id: str
    session: str
    state: str
    result: bytes
    result_hash: str
    reference: str
    raw: bytes
    at: int


class Session(NamedTuple):
    """A process that may hold claims; `queues` lie in one text, a line each."""

    session: str
    kind: str
    host: str
    pid: int
    parent_pid: int
    queues: str
    slots: int
    started_at: int
    beat_at: int
    beats: int
    state: str
    lease: int
    ended_at: int
    proof: str
