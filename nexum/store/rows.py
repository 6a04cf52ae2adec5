"""How values of `api.py` lie in rows, and how rows become values again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nexum.store.api import (
    Advance,
    EffectOutcome,
    EventRow,
    Head,
    Mail,
    MailRow,
    NewTask,
    Record,
    SessionRow,
    VersionRow,
)
from nexum.store.statement import Insert
from nexum.store.tables import effect_evidence, effects, events, inbox, tasks

INSERT_EVENTS = Insert(events)
INSERT_TASKS = Insert(tasks)
RESTORE_TASKS = Insert(tasks, keep=True)
INSERT_EFFECT = Insert(effects, keep=True, without=("undo_from", "taken_by"))
INSERT_MAIL = Insert(inbox, keep=True, without=("id",))
INSERT_EVIDENCE = Insert(effect_evidence, keep=True, without=("id",))

EVENT_COLUMNS = ", ".join(c.name for c in events.columns if c.name != "run_id")
MAIL_COLUMNS = "id, run_id, dedupe, type, body, payload, priority, actor, trace, at"
HEAD_COLUMNS = "run_id, workflow, version, tenant, status, last_seq, last_hash, trace"
VERSION_COLUMNS = "workflow, version, state, graph, label, note, actor, registered_at"
SESSION_COLUMNS = "session, kind, host, pid, parent_pid, queues, slots, started_at, beat_at, beats, state, lease"

_UNSTORABLE = str.maketrans({"\x00": "\ufffd"})


def clean(foreign: str) -> str:
    """A text from outside as a text column can hold it: what a provider answered must never be lost to one character."""
    return foreign.translate(_UNSTORABLE).encode("utf-8", "replace").decode()


def event_row(run_id: str, event: EventRow) -> tuple[Any, ...]:
    """The row of an event."""
    e = event
    return (
        *(run_id, e.seq, e.type, e.path, e.visit, e.item, e.attempt, e.at, e.actor, e.trace, e.tenant, e.engine),
        *(e.schema, e.dedupe, e.body, e.payload, e.prev_hash, e.hash),
    )


def event(row: Sequence[Any]) -> EventRow:
    """An event from `EVENT_COLUMNS`."""
    return EventRow(*row[:13], *(bytes(value) for value in row[13:]))


def task_row(task: NewTask, tenant: str, now: int, session: str) -> tuple[Any, ...]:
    """The row of a new task; claimed by `session`, or READY when that is ''."""
    effect = task.effect
    act: tuple[Any, ...] = ("", "", "", "", "", "", 0)
    if effect is not None:
        act = (effect.key, effect.scope, effect.business_key, effect.input_hash, effect.tool, effect.policy, effect.ttl)
    held = (1, session, 1, now) if session else (0, "", 0, 0)
    state = "CLAIMED" if session else "READY"
    head = (
        *task.key,
        tenant,
        task.kind,
        task.queue,
        state,
        task.priority,
        task.not_before,
        task.start_by,
        task.max_run,
    )
    return (*head, now, *held, 0, 0, *act, "")


def new_effect_row(task: NewTask, tenant: str, now: int, session: str) -> tuple[Any, ...]:
    """The row of an effect that is claimed, with token 1, together with its new task."""
    effect = task.effect
    assert effect is not None
    run_id, path, visit, item, attempt = task.key
    return (
        *(tenant, effect.key, effect.scope, effect.business_key, run_id, path, visit, item, attempt, 1, session),
        *("CLAIMED", "", effect.input_hash, effect.tool, effect.policy, effect.ttl, now, now, 0, b"", "", "", b""),
    )


def mail_row(mail: Mail, now: int) -> tuple[Any, ...]:
    """The row of a fact in the inbox."""
    m = mail
    return (m.run_id, m.dedupe, m.type, m.body, m.payload, m.priority, m.actor, m.trace, m.at or now)


def mail(row: Sequence[Any]) -> MailRow:
    """Mail from `MAIL_COLUMNS`."""
    id_, run_id, dedupe, type_, body, payload, priority, actor, trace, at = row
    return MailRow(int(id_), Mail(run_id, dedupe, type_, bytes(body), bytes(payload), priority, actor, trace, at))


def evidence_row(record: Record, effect: EffectOutcome, now: int) -> tuple[Any, ...]:
    """The row of a report that came too late to be the effect's own."""
    e = effect
    return (
        *(e.tenant, e.key, e.token, record.task.run_id, record.session, e.state, e.result, e.result_hash),
        *(clean(e.reference), e.raw, now),
    )


def head(row: Sequence[Any]) -> Head:
    """Where a run stands, from `HEAD_COLUMNS`."""
    return Head._make((*row[:6], bytes(row[6]), row[7]))


def version(row: Sequence[Any]) -> VersionRow:
    """A version from `VERSION_COLUMNS`."""
    return VersionRow._make((*row[:3], bytes(row[3]), *row[4:]))


def session(row: Sequence[Any]) -> SessionRow:
    """A session from `SESSION_COLUMNS`; queues lie in one text, a line each."""
    return SessionRow._make((*row[:5], tuple(filter(None, row[5].split("\n"))), *row[6:]))


def claimable(advance: Advance, now: int) -> NewTask | None:
    """The new task that the caller wants to hold, if it may begin now."""
    if advance.claim < 0:
        return None
    task = advance.new_tasks[advance.claim]
    return task if task.not_before <= now else None
