"""The tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from nexum_migrations import _runs_v1, _work_v1


class Migration(migrations.Migration):
    """The first of all; the tables stand in two modules, because a file here has at most 400 lines."""

    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [*_runs_v1.TABLES, *_work_v1.TABLES]
