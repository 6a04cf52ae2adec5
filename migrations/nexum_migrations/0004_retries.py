"""An index on retries alone, so that counting them for the metrics does not read every event."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """One partial index. Other events pay only for a look at their type."""

    dependencies: ClassVar = [("nexum", "0003_storage")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["run_id", "path"], condition=models.Q(("type", "RetryScheduled")), name="nexum_events_retries"
            ),
        )
    ]
