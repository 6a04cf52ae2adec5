"""Runs and what is known about them."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey, Index, Q, UniqueConstraint

from nexum.core.run.events import CELL_TERMINAL, DEAD, RUN_TERMINAL
from nexum.core.run.seen import TURNS
from nexum_dashboard.models.columns import octets, text, whole
from nexum_migrations._columns import Name


class Run(models.Model):
    """One execution of a workflow: where it stands. The events are the truth; this row is the lock and the summary."""

    run_id = Name(primary_key=True)
    tenant = text()
    workflow = text()
    version = text()
    run_key = text()
    input_hash = text()
    subject = text()
    status = text()
    last_seq = whole()
    last_hash = octets()
    session = text()
    priority = whole()
    trace = text()
    actor = text()
    error_code = text()
    created_at = whole()
    updated_at = whole()
    ended_at = whole()

    class Meta:
        db_table = "nexum_runs"
        permissions = (
            ("view_payload", "Can read payloads: inputs, outputs, prompts, replies"),
            ("control_run", "Can retry and set aside dead letters, and hold breakers"),
            ("rewind_run", "Can skip nodes, or put a value in their place"),
            ("terminate_run", "Can terminate runs"),
        )
        # No index on a column that every step changes: that would make each step an index write.
        indexes = (
            Index(fields=("workflow", "status", "created_at"), name="nexum_runs_list"),
            Index(fields=("created_at",), name="nexum_runs_age"),
            Index(fields=("subject", "created_at"), condition=Q(subject__gt=""), name="nexum_runs_subject"),
            Index(fields=("run_key",), condition=Q(run_key__gt=""), name="nexum_runs_key"),
        )

    def __str__(self) -> str:
        return f"{self.workflow} {self.run_id}"


class StartKey(models.Model):
    """The promise that a run key starts one run; it outlives the run."""

    pk = CompositePrimaryKey("tenant", "workflow", "run_key")
    tenant = text()
    workflow = text()
    run_key = text()
    run_id = text()
    input_hash = text()
    created_at = whole()

    class Meta:
        db_table = "nexum_start_keys"

    def __str__(self) -> str:
        return f"{self.workflow} {self.run_key}"


class Event(models.Model):
    """A fact, appended once and never changed."""

    pk = CompositePrimaryKey("run_id", "seq")
    run_id = text()
    seq = whole()
    type = text()
    path = text()
    visit = whole()
    item = whole(-1)
    attempt = whole()
    at = whole()
    actor = text()
    trace = text()
    tenant = text()
    engine = text()
    schema = whole()
    dedupe = text()
    body = octets()
    payload = octets()
    prev_hash = octets()
    hash = octets()

    class Meta:
        db_table = "nexum_events"
        indexes = (
            Index(fields=("run_id", "path"), condition=Q(type="RetryScheduled"), name="nexum_events_retries"),
            Index(fields=("at",), condition=Q(type__in=sorted(DEAD)), name="nexum_events_dead"),
            Index(fields=("run_id",), condition=Q(type__in=sorted(TURNS)), name="nexum_events_turns"),
        )
        constraints = (
            UniqueConstraint(
                fields=("run_id", "path", "visit", "item"),
                condition=Q(type__in=sorted(CELL_TERMINAL)),
                name="nexum_events_one_cell_end",
            ),
            UniqueConstraint(
                fields=("run_id",), condition=Q(type__in=sorted(RUN_TERMINAL)), name="nexum_events_one_run_end"
            ),
            UniqueConstraint(fields=("run_id", "dedupe"), condition=Q(dedupe__gt=""), name="nexum_events_one_fact"),
        )

    def __str__(self) -> str:
        return f"{self.run_id} {self.seq} {self.type}"


class Snapshot(models.Model):
    """A folded state, to read less; disposable."""

    run_id = Name(primary_key=True)
    seq = whole()
    hash = octets()
    engine = text()
    state = octets()
    at = whole()

    class Meta:
        db_table = "nexum_snapshots"

    def __str__(self) -> str:
        return f"{self.run_id} at {self.seq}"


class Blob(models.Model):
    """A payload by the sha256 of its bytes."""

    pk = CompositePrimaryKey("tenant", "hash")
    tenant = text()
    hash = octets()
    codec = text()
    size = whole()
    data = octets()
    touched = whole()

    class Meta:
        db_table = "nexum_blobs"

    def __str__(self) -> str:
        return f"{bytes(self.hash).hex()[:12]} {self.size} B"
