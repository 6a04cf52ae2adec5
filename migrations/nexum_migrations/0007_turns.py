"""Where a run stopped or went on is found by an index of its own, however long ago it was."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

TURNS = [
    "CancelRequested",
    "FailRequested",
    "NodeParked",
    "RetryRequested",
    "RunClosing",
    "RunResumed",
    "RunSuspended",
    "SkipRequested",
]


class Migration(migrations.Migration):
    """One partial index: an event that is none of these pays for a look at its type."""

    dependencies: ClassVar = [("nexum", "0006_dead_letters")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["run_id"], condition=models.Q(("type__in", TURNS)), name="nexum_events_turns"),
        ),
    ]
