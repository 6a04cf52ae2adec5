"""How PostgreSQL stores and cleans the tables that change all the time.

Room in each page lets an update stay there without touching an index; early and unthrottled vacuum keeps the queue short.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

from nexum_migrations._postgres import PostgresSQL

HOT = ("nexum_runs", "nexum_tasks", "nexum_inbox", "nexum_effects", "nexum_timers", "nexum_sessions")
CLEANING = (
    "autovacuum_vacuum_scale_factor",
    "autovacuum_analyze_scale_factor",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_threshold",
    "autovacuum_analyze_threshold",
)

SET = "".join(
    f"ALTER TABLE {table} SET (fillfactor = 70, {CLEANING[0]} = 0.01, {CLEANING[1]} = 0.01, {CLEANING[2]} = 0,"
    f" {CLEANING[3]} = 1000, {CLEANING[4]} = 1000);\n"
    for table in HOT
)
RESET = "".join(f"ALTER TABLE {table} RESET (fillfactor, {', '.join(CLEANING)});\n" for table in HOT)


class Migration(migrations.Migration):
    """Settings only; no row is rewritten."""

    dependencies: ClassVar = [("nexum", "0002_functions")]

    operations: ClassVar = [PostgresSQL(SET, RESET)]
