"""What no statement of the store may say; a reader of the source holds it to that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("nexum", "orchestrator", "workers", "dashboard", "migrations")
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "/docs/" not in str(path)]


def statements() -> list[tuple[str, str]]:
    """Every piece of source that updates or locks, with its file."""
    text = [(path.name, re.sub(r"\s+", " ", path.read_text())) for path in SOURCES]
    return [(name, piece) for name, source in text for piece in re.findall(r"UPDATE nexum_runs.*?WHERE", source)]


def test_a_run_is_never_locked_for_update() -> None:
    found = [
        path.name
        for path in SOURCES
        for match in re.finditer(r"nexum_runs[^;\"]{0,200}?\bFOR (UPDATE|SHARE|KEY SHARE)\b", path.read_text())
        if match
    ]

    assert found == []
    assert any("FOR NO KEY UPDATE" in path.read_text() for path in SOURCES)


MARK = "UPDATE nexum_runs SET error_code = :code WHERE"  # a projection that people see and nobody decides by


def test_the_status_of_a_run_changes_only_with_its_sequence() -> None:
    found = [(name, statement) for name, statement in statements() if statement != MARK]

    assert len(found) == len(statements()) - 1 >= 3
    for name, statement in found:
        assert "last_seq" in statement, f"{name}: {statement}"
        assert "last_hash" in statement, f"{name}: {statement}"


def test_the_status_of_a_run_is_not_changed_around_the_store() -> None:
    for path in SOURCES:
        source = path.read_text()
        assert not re.search(r"Run\.objects[^\n]*\.update\(", source), path
        assert not re.search(r"runs\.update\(\)", source), path


def test_events_are_never_changed() -> None:
    for path in SOURCES:
        assert "UPDATE nexum_events" not in path.read_text(), path


@pytest.mark.parametrize(
    "forbidden", [r"\bLISTEN\b", r"\bNOTIFY\b", r"pg_advisory", r"\bPREPARE\b", r"\"SET (?!LOCAL)", r"DISCARD ALL"]
)
def test_nothing_is_kept_in_a_database_session(forbidden: str) -> None:
    for path in (ROOT / "nexum" / "store").rglob("*.py"):
        code = re.sub(r'""".*?"""', "", path.read_text(), count=1, flags=re.S)
        assert not re.search(forbidden, code), path
