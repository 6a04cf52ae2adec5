"""What failed for good is found by an index of its own; what is set aside, and which breakers are open, has a table each."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.models import CompositePrimaryKey


def _text() -> models.TextField[str, str]:
    return models.TextField(default="", blank=True)


def _whole() -> models.BigIntegerField[int, int]:
    return models.BigIntegerField(default=0)


class Migration(migrations.Migration):
    """One partial index: an event that is no such end pays for a look at its type. Two tables that no step touches."""

    dependencies: ClassVar = [("nexum", "0005_permissions")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["at"], condition=models.Q(("type__in", ["NodeParked", "RunFailed"])), name="nexum_events_dead"
            ),
        ),
        migrations.CreateModel(
            name="SetAside",
            fields=[
                (
                    "pk",
                    CompositePrimaryKey(
                        "tenant", "fingerprint", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant", _text()),
                ("fingerprint", _text()),
                ("until", _whole()),
                ("actor", _text()),
                ("reason", _text()),
                ("at", _whole()),
            ],
            options={"db_table": "nexum_set_aside"},
        ),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                (
                    "pk",
                    CompositePrimaryKey(
                        "tenant", "name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant", _text()),
                ("name", _text()),
                ("state", _text()),
                ("failures", _text()),
                ("opened_at", _whole()),
                ("open_for", _whole()),
                ("probe_at", _whole()),
                ("probing", _whole()),
                ("forced", _text()),
                ("forced_until", _whole()),
                ("actor", _text()),
                ("reason", _text()),
                ("changed_at", _whole()),
                ("revision", _whole()),
            ],
            options={"db_table": "nexum_breakers"},
        ),
    ]
