"""Work, mail and effects: the tables as first made."""

from __future__ import annotations

from django.db import migrations, models

TABLES = [
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
            "constraints": [models.UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_late_arrivals_one_fact")],
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
            ("waits_for", models.TextField(blank=True, default="")),
        ],
        options={
            "db_table": "nexum_tasks",
            "indexes": [
                models.Index(
                    fields=["queue", "priority", "created_at"],
                    condition=models.Q(("state", "READY")),
                    name="nexum_tasks_ready",
                ),
                models.Index(fields=["session"], condition=models.Q(("state", "CLAIMED")), name="nexum_tasks_claimed"),
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
]
