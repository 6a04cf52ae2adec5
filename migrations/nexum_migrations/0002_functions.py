"""The functions of the hot path, on PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from nexum_migrations import _claim_v1, _step_v1
from nexum_migrations._postgres import PostgresSQL


class Migration(migrations.Migration):
    """New functions only; nothing that runs is changed."""

    dependencies: ClassVar = [("nexum", "0001_tables")]

    operations: ClassVar = [
        PostgresSQL(_step_v1.CREATE, _step_v1.DROP),
        PostgresSQL(_claim_v1.CREATE, _claim_v1.DROP),
    ]
