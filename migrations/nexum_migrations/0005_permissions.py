"""Who may decide about effects in doubt, and who may control runs: permissions that a shop gives to its groups."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """No table changes; Django writes the permissions after it has migrated."""

    dependencies: ClassVar = [("nexum", "0004_retries")]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="effect",
            options={"permissions": (("resolve_effect", "Can decide about effects in doubt"),)},
        ),
        migrations.AlterModelOptions(
            name="run",
            options={
                "permissions": (
                    ("view_payload", "Can read payloads: inputs, outputs, prompts, replies"),
                    ("control_run", "Can retry, skip and ignore dead letters, and set breakers"),
                )
            },
        ),
    ]
