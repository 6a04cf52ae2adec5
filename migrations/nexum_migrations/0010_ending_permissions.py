"""Skipping a node and terminating a run are permissions of their own."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """No table changes; Django writes the permissions after it has migrated."""

    dependencies: ClassVar = [("nexum", "0009_undone_keys")]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="run",
            options={
                "permissions": (
                    ("view_payload", "Can read payloads: inputs, outputs, prompts, replies"),
                    ("control_run", "Can retry and set aside dead letters, and hold breakers"),
                    ("rewind_run", "Can skip nodes, or put a value in their place"),
                    ("terminate_run", "Can terminate runs"),
                )
            },
        ),
    ]
