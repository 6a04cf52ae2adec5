"""The tables of races and of guarantees name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = (ROOT / "docs" / "reference" / "races.md").read_text("utf-8")
GUARANTEES = (ROOT / "docs" / "explanation" / "guarantees.md").read_text("utf-8")


def test_every_test_that_the_tables_of_races_and_guarantees_name_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", TABLE + GUARANTEES))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), flags=re.MULTILINE)
    }

    assert len(named) > 50
    assert sorted(named - written) == []


def test_no_race_stands_in_the_table_twice() -> None:
    races = re.findall(
        r"\bR\d+\b", "\n".join(line.split("|")[1] for line in TABLE.splitlines() if line.startswith("| R"))
    )

    assert len(races) == len(set(races))
