"""A page of a series says what failed, and promises nothing when something did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nexum.testing.sim.pages import write_hunts, write_series
from nexum.testing.sim.report import Summary


def series(failed: int) -> dict[str, Any]:
    summary = Summary()
    summary.seeds, summary.failed = 3_000, failed
    return summary.as_json()


def test_a_series_without_a_failure_is_told_with_its_bound_and_how_to_play_it_again(tmp_path: Path) -> None:
    write_series(tmp_path / "sim.md", series(0), first=500)
    text = (tmp_path / "sim.md").read_text("utf-8")
    assert text.startswith(
        "# Simulation, 3,000 seeds: 0 failed\n\nSeeds 500 to 3,499; with 95 % confidence less than 0.1 % "
    )
    assert "`make sim SEEDS=3000 FIRST=500 REPORT=...`" in text
    assert "| E0: no exception of the engine" in text


def test_a_series_with_a_failure_promises_nothing(tmp_path: Path) -> None:
    write_series(tmp_path / "sim.md", series(1), first=0)
    text = (tmp_path / "sim.md").read_text("utf-8")
    assert "3,000 seeds: 1 failed" in text
    assert "confidence" not in text


@pytest.mark.parametrize(
    ("caught", "told"), [(True, "| R4 | the lock | 17, I6: twice |"), (False, "| R4 | the lock | SURVIVED |")]
)
def test_a_race_that_nothing_notices_is_called_a_survivor(tmp_path: Path, caught: bool, told: str) -> None:
    hunt = {
        "race": "R4",
        "without": "the lock",
        "caught": caught,
        "first_seed": 17 if caught else None,
        "by": "I6: twice",
    }
    write_hunts(
        tmp_path / "mutants.md", {"seeds": 9, "nexum": "1.2 (abc)", "mutants": [hunt], "elsewhere": {"R5": "the same"}}
    )
    text = (tmp_path / "mutants.md").read_text("utf-8")
    assert text.startswith(f"# Races brought back: {int(caught)} of 1 noticed\n")
    assert told in text
    assert "| R5 | the same |" in text
