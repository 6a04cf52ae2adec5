"""An act under a business key says since when it is taken back, and who else has taken its result; claims ask for both."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

from nexum_migrations import _claim_v1
from nexum_migrations._postgres import PostgresFunctions, PostgresSQL

# The functions of this version, in place of those that an earlier one made; a role without the right goes on without.
_FORMER = _claim_v1.DROP.replace("DROP FUNCTION", "DROP FUNCTION IF EXISTS")


class Migration(migrations.Migration):
    """Two columns with a default in the database, and the functions that claim."""

    dependencies: ClassVar = [("nexum", "0008_group_decisions")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="effect", name="undo_from", field=models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            model_name="effect", name="taken_by", field=models.TextField(blank=True, db_default="", default="")
        ),
        PostgresSQL(_FORMER, PostgresSQL.noop),
        PostgresFunctions(_claim_v1.CREATE, _claim_v1.DROP, probe="nexum_claim_v1"),
    ]
