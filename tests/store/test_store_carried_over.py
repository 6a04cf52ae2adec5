"""What a migration finds in a database that was in use stays there."""

from __future__ import annotations

from pathlib import Path

from django.core.management import call_command
from django.db import connections

from nexum.store.connect import open_store
from nexum.store.deadletters import DecisionRow, group_decisions_of
from nexum.store.django import _connected
from nexum.store.verbs import Verbs


def test_groups_that_were_set_aside_are_ignored_still(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    with _connected(url) as alias:
        call_command("migrate", "nexum", "0006", database=alias, verbosity=0)
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "INSERT INTO nexum_set_aside (tenant, fingerprint, until, actor, reason, at)"
                " VALUES ('default', '0e2af13fb4c3', 7, 'mika', 'known', 5)"
            )
        call_command("migrate", "nexum", database=alias, verbosity=0)
    store = open_store(url)
    assert isinstance(store, Verbs)

    found = group_decisions_of(store)
    store.close()

    assert found == [DecisionRow("default", "0e2af13fb4c3", "ignore", "", 7, "mika", "known", 5)]
