"""The tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

import nexum_migrations._columns


class Migration(migrations.Migration):
    """The first of all."""

    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
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
            name="DeadMail",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run_id", models.TextField(blank=True, default="")),
                ("dedupe", models.TextField(blank=True, default="")),
                ("type", models.TextField(blank=True, default="")),
                ("body", models.BinaryField(blank=True, default=b"")),
                ("payload", models.BinaryField(blank=True, default=b"")),
                ("priority", models.BigIntegerField(default=0)),
                ("actor", models.TextField(blank=True, default="")),
                ("trace", models.TextField(blank=True, default="")),
                ("at", models.BigIntegerField(default=0)),
                ("error", models.TextField(blank=True, default="")),
                ("buried_at", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_inbox_dead",
                "constraints": [models.UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_inbox_dead_one_fact")],
            },
        ),
        migrations.CreateModel(
            name="Effect",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant", models.TextField(blank=True, default="")),
                ("key", models.TextField(blank=True, default="")),
                ("scope", models.TextField(blank=True, default="")),
                ("business_key", models.TextField(blank=True, default="")),
                ("run_id", models.TextField(blank=True, default="")),
                ("path", models.TextField(blank=True, default="")),
                ("visit", models.BigIntegerField(default=0)),
                ("item", models.BigIntegerField(default=-1)),
                ("attempt", models.BigIntegerField(default=0)),
                ("token", models.BigIntegerField(default=0)),
                ("session", models.TextField(blank=True, default="")),
                ("state", models.TextField(blank=True, default="")),
                ("before", models.TextField(blank=True, default="")),
                ("input_hash", models.TextField(blank=True, default="")),
                ("tool", models.TextField(blank=True, default="")),
                ("policy", models.TextField(blank=True, default="")),
                ("ttl", models.BigIntegerField(default=0)),
                ("first_sent_at", models.BigIntegerField(default=0)),
                ("claimed_at", models.BigIntegerField(default=0)),
                ("recorded_at", models.BigIntegerField(default=0)),
                ("result", models.BinaryField(blank=True, default=b"")),
                ("result_hash", models.TextField(blank=True, default="")),
                ("reference", models.TextField(blank=True, default="")),
                ("raw", models.BinaryField(blank=True, default=b"")),
            ],
            options={
                "db_table": "nexum_effects",
                "indexes": [
                    models.Index(fields=["run_id"], name="nexum_effects_run"),
                    models.Index(
                        fields=["state", "claimed_at"],
                        condition=models.Q(("state__in", ["IN_DOUBT", "UNKNOWN"])),
                        name="nexum_effects_doubt",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("business_key__gt", "")),
                        fields=("tenant", "scope", "business_key"),
                        name="nexum_effects_one_business",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EffectEvidence",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant", models.TextField(blank=True, default="")),
                ("key", models.TextField(blank=True, default="")),
                ("token", models.BigIntegerField(default=0)),
                ("run_id", models.TextField(blank=True, default="")),
                ("session", models.TextField(blank=True, default="")),
                ("state", models.TextField(blank=True, default="")),
                ("result", models.BinaryField(blank=True, default=b"")),
                ("result_hash", models.TextField(blank=True, default="")),
                ("reference", models.TextField(blank=True, default="")),
                ("raw", models.BinaryField(blank=True, default=b"")),
                ("at", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_effect_evidence",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "key", "token", "state", "result_hash", "reference"),
                        name="nexum_evidence_once",
                    )
                ],
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
                        condition=models.Q(
                            ("type__in", ["NodeCancelled", "NodeCompleted", "NodeFailed", "NodeSkipped"])
                        ),
                        fields=("run_id", "path", "visit", "item"),
                        name="nexum_events_one_cell_end",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("type__in", ["RunCancelled", "RunCompleted", "RunFailed", "RunTerminated"])
                        ),
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
            name="LateArrival",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run_id", models.TextField(blank=True, default="")),
                ("dedupe", models.TextField(blank=True, default="")),
                ("type", models.TextField(blank=True, default="")),
                ("body", models.BinaryField(blank=True, default=b"")),
                ("payload", models.BinaryField(blank=True, default=b"")),
                ("priority", models.BigIntegerField(default=0)),
                ("actor", models.TextField(blank=True, default="")),
                ("trace", models.TextField(blank=True, default="")),
                ("at", models.BigIntegerField(default=0)),
                ("kept_at", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_late_arrivals",
                "constraints": [
                    models.UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_late_arrivals_one_fact")
                ],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run_id", models.TextField(blank=True, default="")),
                ("dedupe", models.TextField(blank=True, default="")),
                ("type", models.TextField(blank=True, default="")),
                ("body", models.BinaryField(blank=True, default=b"")),
                ("payload", models.BinaryField(blank=True, default=b"")),
                ("priority", models.BigIntegerField(default=0)),
                ("actor", models.TextField(blank=True, default="")),
                ("trace", models.TextField(blank=True, default="")),
                ("at", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_inbox",
                "indexes": [
                    models.Index(fields=["run_id", "priority", "id"], name="nexum_inbox_order"),
                    models.Index(fields=["at"], name="nexum_inbox_age"),
                ],
                "constraints": [models.UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_inbox_one_fact")],
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
            name="Task",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id",
                        "path",
                        "visit",
                        "item",
                        "attempt",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("run_id", models.TextField(blank=True, default="")),
                ("path", models.TextField(blank=True, default="")),
                ("visit", models.BigIntegerField(default=0)),
                ("item", models.BigIntegerField(default=-1)),
                ("attempt", models.BigIntegerField(default=0)),
                ("tenant", models.TextField(blank=True, default="")),
                ("kind", models.TextField(blank=True, default="")),
                ("queue", models.TextField(blank=True, default="")),
                ("state", models.TextField(blank=True, default="")),
                ("priority", models.BigIntegerField(default=0)),
                ("not_before", models.BigIntegerField(default=0)),
                ("start_by", models.BigIntegerField(default=0)),
                ("max_run", models.BigIntegerField(default=0)),
                ("created_at", models.BigIntegerField(default=0)),
                ("token", models.BigIntegerField(default=0)),
                ("session", models.TextField(blank=True, default="")),
                ("deliveries", models.BigIntegerField(default=0)),
                ("claimed_at", models.BigIntegerField(default=0)),
                ("told_at", models.BigIntegerField(default=0)),
                ("told_count", models.BigIntegerField(default=0)),
                ("effect_key", models.TextField(blank=True, default="")),
                ("effect_scope", models.TextField(blank=True, default="")),
                ("business_key", models.TextField(blank=True, default="")),
                ("input_hash", models.TextField(blank=True, default="")),
                ("tool", models.TextField(blank=True, default="")),
                ("policy", models.TextField(blank=True, default="")),
                ("ttl", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_tasks",
                "indexes": [
                    models.Index(
                        fields=["queue", "priority", "created_at"],
                        condition=models.Q(("state", "READY")),
                        name="nexum_tasks_ready",
                    ),
                    models.Index(
                        fields=["session"], condition=models.Q(("state", "CLAIMED")), name="nexum_tasks_claimed"
                    ),
                    models.Index(
                        fields=["start_by"],
                        condition=models.Q(("start_by__gt", 0), ("state", "READY")),
                        name="nexum_tasks_late",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Timer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "timer", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("run_id", models.TextField(blank=True, default="")),
                ("timer", models.TextField(blank=True, default="")),
                ("due", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "nexum_timers",
                "indexes": [models.Index(fields=["due"], name="nexum_timers_due")],
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
