"""The tables as SQLAlchemy sees them: the query language of the engine. Django's models make the tables; a test compares.

Times are microseconds since 1970, payloads and hashes bytes; nothing is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from nexum.core.run.events import CELL_TERMINAL, DEAD, RUN_TERMINAL
from nexum.core.run.seen import TURNS

metadata = MetaData()


def _text(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _whole(*names: str) -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def _raw(*names: str) -> list[Column[Any]]:
    return [Column(name, LargeBinary, nullable=False) for name in names]


def _name(name: str) -> Column[Any]:
    return Column(name, String, primary_key=True, nullable=False)


def _number() -> Column[Any]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("id", kind, Identity(), primary_key=True, nullable=False)


def _only(condition: str, name: str, *columns: str, unique: bool = False) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=unique, postgresql_where=where, sqlite_where=where)


def _among(name: str, values: Iterable[str]) -> str:
    return f"{name} IN ({', '.join(repr(value) for value in sorted(values))})"


runs = Table(
    "nexum_runs",
    metadata,
    _name("run_id"),
    *_text("tenant", "workflow", "version", "run_key", "input_hash", "subject", "status"),
    *_whole("last_seq"),
    *_raw("last_hash"),
    *_text("session"),
    *_whole("priority"),
    *_text("trace", "actor", "error_code"),
    *_whole("created_at", "updated_at", "ended_at"),
    Index("nexum_runs_list", "workflow", "status", "created_at"),
    Index("nexum_runs_age", "created_at"),
    _only("subject > ''", "nexum_runs_subject", "subject", "created_at"),
    _only("run_key > ''", "nexum_runs_key", "run_key"),
)

start_keys = Table(
    "nexum_start_keys",
    metadata,
    *_text("tenant", "workflow", "run_key", "run_id", "input_hash"),
    *_whole("created_at"),
    PrimaryKeyConstraint("tenant", "workflow", "run_key"),
)

events = Table(
    "nexum_events",
    metadata,
    *_text("run_id"),
    *_whole("seq"),
    *_text("type", "path"),
    *_whole("visit", "item", "attempt", "at"),
    *_text("actor", "trace", "tenant", "engine"),
    *_whole("schema"),
    *_text("dedupe"),
    *_raw("body", "payload", "prev_hash", "hash"),
    PrimaryKeyConstraint("run_id", "seq"),
    _only(_among("type", CELL_TERMINAL), "nexum_events_one_cell_end", "run_id", "path", "visit", "item", unique=True),
    _only(_among("type", RUN_TERMINAL), "nexum_events_one_run_end", "run_id", unique=True),
    _only("dedupe > ''", "nexum_events_one_fact", "run_id", "dedupe", unique=True),
    _only("type = 'RetryScheduled'", "nexum_events_retries", "run_id", "path"),
    _only(_among("type", DEAD), "nexum_events_dead", "at"),
    _only(_among("type", TURNS), "nexum_events_turns", "run_id"),
)

snapshots = Table(
    "nexum_snapshots",
    metadata,
    _name("run_id"),
    *_whole("seq"),
    *_raw("hash"),
    *_text("engine"),
    *_raw("state"),
    *_whole("at"),
)

blobs = Table(
    "nexum_blobs",
    metadata,
    *_text("tenant"),
    *_raw("hash"),
    *_text("codec"),
    *_whole("size"),
    *_raw("data"),
    *_whole("touched"),
    PrimaryKeyConstraint("tenant", "hash"),
)

tasks = Table(
    "nexum_tasks",
    metadata,
    *_text("run_id", "path"),
    *_whole("visit", "item", "attempt"),
    *_text("tenant", "kind", "queue", "state"),
    *_whole("priority", "not_before", "start_by", "max_run", "created_at", "token"),
    *_text("session"),
    *_whole("deliveries", "claimed_at", "told_at", "told_count"),
    *_text("effect_key", "effect_scope", "business_key", "input_hash", "tool", "policy"),
    *_whole("ttl"),
    *_text("waits_for"),  # the key of another run's call that its handler has met
    PrimaryKeyConstraint("run_id", "path", "visit", "item", "attempt"),
    _only("state = 'READY'", "nexum_tasks_ready", "queue", "priority", "created_at"),
    _only("state = 'CLAIMED'", "nexum_tasks_claimed", "session"),
    _only("start_by > 0 AND state = 'READY'", "nexum_tasks_late", "start_by"),
)

timers = Table(
    "nexum_timers",
    metadata,
    *_text("run_id", "timer"),
    *_whole("due"),
    PrimaryKeyConstraint("run_id", "timer"),
    Index("nexum_timers_due", "due"),
)


def _letters(name: str, *more: Any) -> Table:
    return Table(
        name,
        metadata,
        _number(),
        *_text("run_id", "dedupe", "type"),
        *_raw("body", "payload"),
        *_whole("priority"),
        *_text("actor", "trace"),
        *_whole("at"),
        Index(f"{name}_one_fact", "run_id", "dedupe", unique=True),
        *more,
    )


inbox = _letters(
    "nexum_inbox",
    Index("nexum_inbox_order", "run_id", "priority", "id"),
    Index("nexum_inbox_age", "at"),
)
inbox_dead = _letters("nexum_inbox_dead", *_text("error"), *_whole("buried_at"))
late_arrivals = _letters("nexum_late_arrivals", *_whole("kept_at"))

effects = Table(
    "nexum_effects",
    metadata,
    *_text("tenant", "key", "scope", "business_key", "run_id", "path"),
    *_whole("visit", "item", "attempt", "token"),
    *_text("session", "state", "before", "input_hash", "tool", "policy"),
    *_whole("ttl", "first_sent_at", "claimed_at", "recorded_at"),
    *_raw("result"),
    *_text("result_hash", "reference"),
    *_raw("raw"),
    *_whole("undo_from"),
    *_text("taken_by"),
    PrimaryKeyConstraint("tenant", "key"),
    _only("business_key > ''", "nexum_effects_one_business", "tenant", "scope", "business_key", unique=True),
    Index("nexum_effects_run", "run_id"),
    _only(_among("state", ("IN_DOUBT", "UNKNOWN")), "nexum_effects_doubt", "state", "claimed_at"),
)

effect_evidence = Table(
    "nexum_effect_evidence",
    metadata,
    _number(),
    *_text("tenant", "key"),
    *_whole("token"),
    *_text("run_id", "session", "state"),
    *_raw("result"),
    *_text("result_hash", "reference"),
    *_raw("raw"),
    *_whole("at"),
    Index("nexum_evidence_once", "tenant", "key", "token", "state", "result_hash", "reference", unique=True),
)

group_decisions = Table(
    "nexum_group_decisions",
    metadata,
    _number(),
    *_text("tenant", "fingerprint", "what", "value", "actor", "reason"),
    *_whole("until", "at"),
    Index("nexum_group_decisions_of", "tenant", "fingerprint"),
)

breakers = Table(
    "nexum_breakers",
    metadata,
    *_text("tenant", "name", "state", "failures"),
    *_whole("opened_at", "open_for", "probe_at", "probing"),
    *_text("forced"),
    *_whole("forced_until"),
    *_text("actor", "reason"),
    *_whole("changed_at", "revision"),
    PrimaryKeyConstraint("tenant", "name"),
)

versions = Table(
    "nexum_versions",
    metadata,
    *_text("workflow", "version", "state"),
    *_raw("graph"),
    *_text("label", "note", "actor"),
    *_whole("registered_at"),
    PrimaryKeyConstraint("workflow", "version"),
    _only("state = 'default'", "nexum_versions_one_default", "workflow", unique=True),
)

sessions = Table(
    "nexum_sessions",
    metadata,
    _name("session"),
    *_text("kind", "host"),
    *_whole("pid", "parent_pid"),
    *_text("queues"),
    *_whole("slots", "started_at", "beat_at", "beats"),
    *_text("state"),
    *_whole("lease", "ended_at"),
    *_text("proof"),
)

api_tokens = Table(
    "nexum_api_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True, nullable=False),
    *_text("name", "scopes"),
    *_whole("created_at", "expires_at", "last_used_at", "revoked_at"),
)
