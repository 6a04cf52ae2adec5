"""What people decide about groups of dead letters is kept whole, one row for each decision; what was set aside is carried over."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

_CARRY_OVER = """
    INSERT INTO nexum_group_decisions (tenant, fingerprint, what, value, until, actor, reason, at)
    SELECT tenant, fingerprint, 'ignore', '', until, actor, reason, at FROM nexum_set_aside ORDER BY at"""


def _text() -> models.TextField[str, str]:
    return models.TextField(default="", blank=True)


def _whole() -> models.BigIntegerField[int, int]:
    return models.BigIntegerField(default=0)


class Migration(migrations.Migration):
    """A new table, filled from the one that it replaces."""

    dependencies: ClassVar = [("nexum", "0007_turns")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="GroupDecision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant", _text()),
                ("fingerprint", _text()),
                ("what", _text()),
                ("value", _text()),
                ("actor", _text()),
                ("reason", _text()),
                ("until", _whole()),
                ("at", _whole()),
            ],
            options={
                "db_table": "nexum_group_decisions",
                "indexes": [models.Index(fields=["tenant", "fingerprint"], name="nexum_group_decisions_of")],
            },
        ),
        migrations.RunSQL(_CARRY_OVER, migrations.RunSQL.noop),
        migrations.DeleteModel(name="SetAside"),
    ]
