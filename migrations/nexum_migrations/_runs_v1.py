"""Runs, what is known about them, and who may start and execute them: the tables as first made."""

from __future__ import annotations

from django.db import migrations, models

import nexum_migrations._columns

TABLES = [
    migrations.CreateModel(
        name="ApiToken",
        fields=[
            ("hash", models.BinaryField(primary_key=True, serialize=False)),
            ("name", models.TextField(blank=True, default="")),
            ("scopes", models.TextField(blank=True, default="")),
            ("created_at", models.BigIntegerField(default=0)),
            ("expires_at", models.BigIntegerField(default=0)),
            ("last_used_at", models.BigIntegerField(default=0)),
            ("revoked_at", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_api_tokens",
        },
    ),
    migrations.CreateModel(
        name="Blob",
        fields=[
            (
                "pk",
                models.CompositePrimaryKey(
                    "tenant", "hash", blank=True, editable=False, primary_key=True, serialize=False
                ),
            ),
            ("tenant", models.TextField(blank=True, default="")),
            ("hash", models.BinaryField(blank=True, default=b"")),
            ("codec", models.TextField(blank=True, default="")),
            ("size", models.BigIntegerField(default=0)),
            ("data", models.BinaryField(blank=True, default=b"")),
            ("touched", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_blobs",
        },
    ),
    migrations.CreateModel(
        name="Session",
        fields=[
            ("session", nexum_migrations._columns.Name(primary_key=True, serialize=False)),
            ("kind", models.TextField(blank=True, default="")),
            ("host", models.TextField(blank=True, default="")),
            ("pid", models.BigIntegerField(default=0)),
            ("parent_pid", models.BigIntegerField(default=0)),
            ("queues", models.TextField(blank=True, default="")),
            ("slots", models.BigIntegerField(default=0)),
            ("started_at", models.BigIntegerField(default=0)),
            ("beat_at", models.BigIntegerField(default=0)),
            ("beats", models.BigIntegerField(default=0)),
            ("state", models.TextField(blank=True, default="")),
            ("lease", models.BigIntegerField(default=0)),
            ("ended_at", models.BigIntegerField(default=0)),
            ("proof", models.TextField(blank=True, default="")),
        ],
        options={
            "db_table": "nexum_sessions",
        },
    ),
    migrations.CreateModel(
        name="Snapshot",
        fields=[
            ("run_id", nexum_migrations._columns.Name(primary_key=True, serialize=False)),
            ("seq", models.BigIntegerField(default=0)),
            ("hash", models.BinaryField(blank=True, default=b"")),
            ("engine", models.TextField(blank=True, default="")),
            ("state", models.BinaryField(blank=True, default=b"")),
            ("at", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_snapshots",
        },
    ),
    migrations.CreateModel(
        name="StartKey",
        fields=[
            (
                "pk",
                models.CompositePrimaryKey(
                    "tenant", "workflow", "run_key", blank=True, editable=False, primary_key=True, serialize=False
                ),
            ),
            ("tenant", models.TextField(blank=True, default="")),
            ("workflow", models.TextField(blank=True, default="")),
            ("run_key", models.TextField(blank=True, default="")),
            ("run_id", models.TextField(blank=True, default="")),
            ("input_hash", models.TextField(blank=True, default="")),
            ("created_at", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_start_keys",
        },
    ),
    migrations.CreateModel(
        name="Event",
        fields=[
            (
                "pk",
                models.CompositePrimaryKey(
                    "run_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                ),
            ),
            ("run_id", models.TextField(blank=True, default="")),
            ("seq", models.BigIntegerField(default=0)),
            ("type", models.TextField(blank=True, default="")),
            ("path", models.TextField(blank=True, default="")),
            ("visit", models.BigIntegerField(default=0)),
            ("item", models.BigIntegerField(default=-1)),
            ("attempt", models.BigIntegerField(default=0)),
            ("at", models.BigIntegerField(default=0)),
            ("actor", models.TextField(blank=True, default="")),
            ("trace", models.TextField(blank=True, default="")),
            ("tenant", models.TextField(blank=True, default="")),
            ("engine", models.TextField(blank=True, default="")),
            ("schema", models.BigIntegerField(default=0)),
            ("dedupe", models.TextField(blank=True, default="")),
            ("body", models.BinaryField(blank=True, default=b"")),
            ("payload", models.BinaryField(blank=True, default=b"")),
            ("prev_hash", models.BinaryField(blank=True, default=b"")),
            ("hash", models.BinaryField(blank=True, default=b"")),
        ],
        options={
            "db_table": "nexum_events",
            "constraints": [
                models.UniqueConstraint(
                    condition=models.Q(("type__in", ["NodeCancelled", "NodeCompleted", "NodeFailed", "NodeSkipped"])),
                    fields=("run_id", "path", "visit", "item"),
                    name="nexum_events_one_cell_end",
                ),
                models.UniqueConstraint(
                    condition=models.Q(("type__in", ["RunCancelled", "RunCompleted", "RunFailed", "RunTerminated"])),
                    fields=("run_id",),
                    name="nexum_events_one_run_end",
                ),
                models.UniqueConstraint(
                    condition=models.Q(("dedupe__gt", "")),
                    fields=("run_id", "dedupe"),
                    name="nexum_events_one_fact",
                ),
            ],
        },
    ),
    migrations.CreateModel(
        name="Run",
        fields=[
            ("run_id", nexum_migrations._columns.Name(primary_key=True, serialize=False)),
            ("tenant", models.TextField(blank=True, default="")),
            ("workflow", models.TextField(blank=True, default="")),
            ("version", models.TextField(blank=True, default="")),
            ("run_key", models.TextField(blank=True, default="")),
            ("input_hash", models.TextField(blank=True, default="")),
            ("subject", models.TextField(blank=True, default="")),
            ("status", models.TextField(blank=True, default="")),
            ("last_seq", models.BigIntegerField(default=0)),
            ("last_hash", models.BinaryField(blank=True, default=b"")),
            ("session", models.TextField(blank=True, default="")),
            ("priority", models.BigIntegerField(default=0)),
            ("trace", models.TextField(blank=True, default="")),
            ("actor", models.TextField(blank=True, default="")),
            ("error_code", models.TextField(blank=True, default="")),
            ("created_at", models.BigIntegerField(default=0)),
            ("updated_at", models.BigIntegerField(default=0)),
            ("ended_at", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_runs",
            "permissions": (("view_payload", "Can read payloads: inputs, outputs, prompts, replies"),),
            "indexes": [
                models.Index(fields=["workflow", "status", "created_at"], name="nexum_runs_list"),
                models.Index(fields=["created_at"], name="nexum_runs_age"),
                models.Index(
                    fields=["subject", "created_at"],
                    condition=models.Q(("subject__gt", "")),
                    name="nexum_runs_subject",
                ),
                models.Index(fields=["run_key"], condition=models.Q(("run_key__gt", "")), name="nexum_runs_key"),
            ],
        },
    ),
    migrations.CreateModel(
        name="Version",
        fields=[
            (
                "pk",
                models.CompositePrimaryKey(
                    "workflow", "version", blank=True, editable=False, primary_key=True, serialize=False
                ),
            ),
            ("workflow", models.TextField(blank=True, default="")),
            ("version", models.TextField(blank=True, default="")),
            ("state", models.TextField(blank=True, default="")),
            ("graph", models.BinaryField(blank=True, default=b"")),
            ("label", models.TextField(blank=True, default="")),
            ("note", models.TextField(blank=True, default="")),
            ("actor", models.TextField(blank=True, default="")),
            ("registered_at", models.BigIntegerField(default=0)),
        ],
        options={
            "db_table": "nexum_versions",
            "constraints": [
                models.UniqueConstraint(
                    condition=models.Q(("state", "default")),
                    fields=("workflow",),
                    name="nexum_versions_one_default",
                )
            ],
        },
    ),
]
