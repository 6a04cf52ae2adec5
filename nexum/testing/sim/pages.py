"""Pages for `docs/reports/`, written from the reports and by nobody's hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIDENCE = 3.0  # nothing in N seeds: with 95 % confidence it happens in less than 3 of N


def write_series(path: Path, report: Mapping[str, Any], *, first: int) -> None:
    """The page of a series of seeds, from `build/sim.json`; `first` is the first of them."""
    seeds, failed = report["seeds"], report["violations"]
    bound = 100 * CONFIDENCE / seeds if seeds else 100.0
    sure = f"; with 95 % confidence less than {bound:.2g} % of such seeds fail" if not failed else ""
    totals = ("runs", "acts", "steps", "virtual_hours", "seconds", "seeds_per_minute", "first_failing_seed")
    again = f"make sim SEEDS={seeds}" + (f" FIRST={first}" if first else "")
    _write(
        path,
        f"# Simulation, {seeds:,} seeds: {failed:,} failed",
        f"Seeds {first:,} to {first + seeds - 1:,}{sure}.",
        f"What is played stands in [how it is proven](../explanation/how-it-is-proven.md). Written by `{again} REPORT=...`.",
        _table("figure", "value", [(name, _spelled(report[name])) for name in totals]),
        _table("version of", "", list(report["versions"].items())),
        _table("fault", "times", [(name, f"{count:,}") for name, count in report["faults"].items()]),
        _table(
            "invariant",
            "violated",
            [(f"{name}: {text}", report["by_invariant"][name]) for name, text in report["invariants"].items()],
        ),
    )


def write_hunts(path: Path, report: Mapping[str, Any]) -> None:
    """The page of the races that were brought back, from `build/mutants.json`."""
    found = report["mutants"]
    caught = sum(each["caught"] for each in found)
    rows = [
        (each["race"], each["without"], f"{each['first_seed']:,}, {each['by']}" if each["caught"] else "SURVIVED")
        for each in found
    ]
    _write(
        path,
        f"# Races brought back: {caught} of {len(found)} noticed",
        f"At most {report['seeds']:,} seeds were played for each, of Nexum {report['nexum']}. Written by `make mutants SEEDS={report['seeds']} REPORT=...`.",
        _table("race", "without", rows, "first seed that fails, and what notices"),
        _table("race held elsewhere", "where", list(report["elsewhere"].items())),
    )


def _table(first: str, second: str, rows: Sequence[Sequence[object]], *more: str) -> str:
    heads = (first, second, *more)
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def _spelled(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _write(path: Path, *parts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", "utf-8")
