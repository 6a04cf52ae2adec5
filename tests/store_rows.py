"""Rows for store tests: one factory per thing, every argument optional."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from nexum.core.run.codec import GENESIS
from nexum.store.api import (
    Advance,
    EffectOutcome,
    EventRow,
    Head,
    Mail,
    NewEffect,
    NewTask,
    Record,
    SessionRow,
    StartRow,
    Store,
    TaskKey,
    VersionRow,
)

QUEUE = "Shop@3ac1f2d09b7e"
MINUTE = 60_000_000
_numbers = itertools.count(1)


def name(prefix: str = "run") -> str:
    """A new name."""
    return f"{prefix}-{next(_numbers)}"


def event(seq: int = 1, prev: bytes = GENESIS, **other: Any) -> EventRow:
    """An event; its hash covers what makes it differ from others."""
    values: dict[str, Any] = {
        "type": "NodeScheduled",
        "path": "a",
        "visit": 1,
        "item": -1,
        "attempt": 1,
        "at": 1_000,
        "actor": "engine",
        "trace": "",
        "tenant": "default",
        "engine": "1",
        "schema": 1,
        "dedupe": "",
        "body": b"{}",
        "payload": b"",
        **other,
    }
    hash_ = hashlib.sha256(prev + repr((seq, sorted(values.items()))).encode()).digest()
    return EventRow(seq=seq, prev_hash=prev, hash=hash_, **values)


def events(seq: int, prev: bytes, *bodies: dict[str, Any]) -> tuple[EventRow, ...]:
    """Events in a row, after `seq` and `prev`."""
    made: list[EventRow] = []
    for number, body in enumerate(bodies, start=seq + 1):
        made.append(event(number, made[-1].hash if made else prev, **body))
    return tuple(made)


def effect(key: str = "", **other: Any) -> NewEffect:
    """An effect that its provider dedupes for an hour."""
    values: dict[str, Any] = {
        "scope": "pay",
        "business_key": "",
        "input_hash": "ab" * 32,
        "tool": "pay",
        "policy": "dedupes",
        "ttl": 60 * MINUTE,
        **other,
    }
    return NewEffect(key=key or name("key"), **values)


def task(run_id: str, path: str = "a", attempt: int = 1, item: int = -1, **other: Any) -> NewTask:
    """A task that may begin at once."""
    values: dict[str, Any] = {
        "kind": "effect" if other.get("effect") else "compute",
        "queue": QUEUE,
        "priority": 0,
        "not_before": 0,
        "start_by": 0,
        "max_run": 10 * MINUTE,
        **other,
    }
    return NewTask(key=TaskKey(run_id, path, 1, item, attempt), **values)


def advance(head: Head | None = None, *bodies: dict[str, Any], **other: Any) -> Advance:
    """A move of a run from where it stands; without a head, of a new run from the beginning."""
    run_id = head.run_id if head else other.pop("run_id", "") or name()
    seq, prev = (head.seq, head.hash) if head else (0, GENESIS)
    made = events(seq, prev, *(bodies or ({"type": "RunStarted", "path": "", "visit": 0, "dedupe": "start"},)))
    return Advance(
        **{
            "run_id": run_id,
            "tenant": "default",
            "seq": seq,
            "hash": prev,
            "events": made,
            "status": "RUNNING",
            **other,
        }
    )


def start(store: Store, *tasks: NewTask, run_key: str = "", input_hash: str = "aa", **other: Any) -> Head:
    """A run that has begun, with these tasks READY; gives where it stands."""
    run_id = tasks[0].key.run_id if tasks else other.pop("run_id", "")
    row = start_row(run_id=run_id, run_key=run_key, input_hash=input_hash, new_tasks=tasks, **other)
    started = store.start(row)
    head = store.head(started.run_id)
    assert head is not None
    return head


def start_row(run_key: str = "", input_hash: str = "aa", subject: str = "", **other: Any) -> StartRow:
    """What `start` takes."""
    return StartRow("Shop", "sha256:1", run_key, input_hash, subject, 0, "trace", "somebody", advance(None, **other))


def mail(run_id: str, dedupe: str = "", **other: Any) -> Mail:
    """A fact on its way into a run."""
    return Mail(run_id, dedupe or name("fact"), other.pop("type", "SignalReceived"), other.pop("body", b"{}"), **other)


def completed(key: TaskKey, output: bytes = b"1") -> dict[str, Any]:
    """The body of the event that ends a cell."""
    where = {"path": key.path, "visit": key.visit, "item": key.item, "attempt": key.attempt}
    dedupe = f"{key.path}/{key.visit}/{key.item}/{key.attempt}"
    return {
        "type": "NodeCompleted",
        **where,
        "payload": output,
        "body": b'{"done":1}',
        "dedupe": dedupe,
        "actor": "test",
    }


def record(
    key: TaskKey, outcome: EffectOutcome | None = None, token: int = 1, session: str = "s1", output: bytes = b"1"
) -> Record:
    """A finished attempt; its mail says what `completed` says."""
    body = completed(key, output)
    fact = Mail(key.run_id, body["dedupe"], body["type"], body["body"], payload=output, actor="test", at=1_000)
    return Record(key, session, token, fact, outcome)


def outcome(key: str, token: int = 1, state: str = "APPLIED", result: bytes = b"1", **other: Any) -> EffectOutcome:
    """What became of an effect."""
    return EffectOutcome("default", key, token, state, result, result_hash="cd" * 32, **other)


def session(session: str = "s1", **other: Any) -> SessionRow:
    """A live worker process."""
    values: dict[str, Any] = {
        "kind": "worker",
        "host": "here",
        "pid": 1,
        "parent_pid": 1,
        "queues": (QUEUE,),
        "slots": 4,
        "started_at": 0,
        "beat_at": 0,
        "beats": 0,
        "state": "LIVE",
        "lease": 15_000_000,
        **other,
    }
    return SessionRow(session, **values)


def version(version: str = "sha256:1", **other: Any) -> VersionRow:
    """A registered version of the workflow `Shop`."""
    values: dict[str, Any] = {
        "workflow": "Shop",
        "state": "active",
        "graph": b"{}",
        "label": "",
        "note": "",
        "actor": "",
        "registered_at": 0,
        **other,
    }
    return VersionRow(version=version, **values)


def moved(store: Store, head: Head) -> Head:
    """Where the run stands now."""
    now = store.head(head.run_id)
    assert now is not None
    return now
