"""What comes out: a table for people, and `build/bench.json` for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.figures import LOWER, Figure
from benchmarks.machine import facts, versions
from benchmarks.session import Session

FORMAT = "nexum-bench/1"


def document(session: Session, figures: Iterable[Figure]) -> dict[str, Any]:
    """Everything that was measured. `against` is Nexum's figure divided by the other's."""
    return {
        "format": FORMAT,
        "quick": session.quick,
        "machine": facts(),
        "foreign_cores": round(session.meter.foreign, 2) if session.meter.known else None,
        "versions": {**versions(), **session.peer_versions, **session.places.versions()},
        "figures": [figure.document() for figure in figures],
        "skipped": session.skipped,
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the document where nothing else lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2, sort_keys=False) + "\n", "utf-8")


def table(report: dict[str, Any], figures: Iterable[Figure]) -> str:
    """The same for people; every line stands for itself."""
    machine = report["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}",
        ", ".join(f"{name} {number}" for name, number in {"python": machine["python"], **report["versions"]}.items()),
        f"others used {report['foreign_cores']} cores meanwhile" + ("; quick, no evidence" if report["quick"] else ""),
        "",
    ]
    for figure in figures:
        lines += _lines(figure)
    lines += ["", *(f"skipped {peer}: {reason}" for peer, reason in report["skipped"].items())]
    return "\n".join(lines)


def missed(figures: Iterable[Figure]) -> list[str]:
    """Names of figures that do not reach a target."""
    return [figure.name for figure in figures if any(met is False for _, _, met in figure.verdicts())]


def _lines(figure: Figure) -> list[str]:
    lines = [f"{figure.name:4} {figure.title}: {_number(figure.value)} {figure.unit}".rstrip()]
    others = figure.document()["others"]
    wanted = {target.against: (target.must, met) for target, _, met in figure.verdicts()}
    if "" in wanted:
        lines[0] += _verdict(figure, *wanted[""])
    for peer, ratio in sorted(figure.against.items()):
        line = f"       {_number(ratio)} x {peer} ({_number(others[peer])} {figure.unit})"
        lines.append(line + (_verdict(figure, *wanted[peer]) if peer in wanted else ""))
    lines += [f"       ({note}: {value})" for note, value in figure.notes.items()]
    return lines


def _verdict(figure: Figure, must: float, met: bool | None) -> str:
    sign = "at most" if figure.direction == LOWER else "at least"
    said = {True: "reached", False: "MISSED", None: "not compared"}[met]
    return f"   [{sign} {must:g}: {said}]"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
