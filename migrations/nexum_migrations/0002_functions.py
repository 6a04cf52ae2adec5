"""The functions of the hot path, on PostgreSQL, where the role may create any."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from nexum_migrations import _claim_v1, _step_v1
from nexum_migrations._postgres import PostgresFunctions


class Migration(migrations.Migration):
    """New functions only; nothing that runs is changed."""

    dependencies: ClassVar = [("nexum", "0001_tables")]

    operations: ClassVar = [
        PostgresFunctions(_step_v1.CREATE, _step_v1.DROP, probe="nexum_step_v1"),
        PostgresFunctions(_claim_v1.CREATE, _claim_v1.DROP, probe="nexum_claim_v1"),
    ]
