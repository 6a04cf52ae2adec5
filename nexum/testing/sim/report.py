"""What a series of seeds has shown: as JSON for machines, and the last steps of a failing seed for people."""

from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

from nexum.testing.revision import revision
from nexum.testing.sim.invariants import ELSEWHERE, INVARIANTS
from nexum.testing.sim.world import Played

WIDTH = 170
IDLE = {  # what is asked all the time, and mostly answered by nothing
    *(
        "sessions",
        "now",
        "beat",
        "held_by_dead",
        "proven_dead",
        "due_timers",
        "late_starts",
        "old_mail",
        "ready_untold",
    ),
    *("claim", "version", "has_mail"),
}


class Summary:
    """Sums over seeds."""

    def __init__(self) -> None:
        self.seeds = self.steps = self.runs = self.acts = self.failed = 0
        self.first_failing: int | None = None
        self.virtual = 0
        self.by_invariant: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._began = perf_counter()

    def add(self, played: Played) -> None:
        """One more seed."""
        self.seeds += 1
        self.steps += played.steps
        self.runs += played.runs
        self.acts += played.acts
        self.virtual += played.virtual
        self.faults.update({str(name): count for name, count in played.faults.items()})
        if played.violations:
            self.failed += 1
            self.by_invariant[played.violations[0].invariant] += 1
            if self.first_failing is None:
                self.first_failing = played.seed

    @property
    def seconds(self) -> float:
        """Since the first seed, by the wall's clock."""
        return perf_counter() - self._began

    def as_json(self) -> dict[str, Any]:
        """The report."""
        return {
            "seeds": self.seeds,
            "steps": self.steps,
            "runs": self.runs,
            "acts": self.acts,
            "violations": self.failed,
            "by_invariant": {name: self.by_invariant[name] for name in INVARIANTS},
            "first_failing_seed": self.first_failing,
            "seconds": round(self.seconds, 1),
            "virtual_hours": round(self.virtual / 3.6e9, 1),
            "seeds_per_minute": round(self.seeds / self.seconds * 60),
            "faults": dict(sorted(self.faults.items())),
            "versions": {"nexum": revision(), "python": platform.python_version()},
            "invariants": INVARIANTS,
            "not_simulated": ELSEWHERE,
        }

    def __str__(self) -> str:
        rate = self.seeds / self.seconds * 60
        faults = sum(self.faults.values())
        return (
            f"{self.seeds:,} seeds, {self.runs:,} runs, {self.acts:,} acts, {faults:,} faults, {self.steps:,} steps: "
            f"{self.failed} failed, {self.seconds:.0f} s, {rate:,.0f} seeds a minute"
        )


def written(summary: Summary, path: Path) -> None:
    """Write the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary.as_json(), indent=2) + "\n", "utf-8")


def told(played: Played, *, steps: int) -> str:
    """The last steps of a seed, what did not hold, and how to see it again."""
    said = [step for step in played.trace if step[2] not in IDLE]
    lines = [f"{at / 1e6:11.4f} s  {name:18.18}  {what:30}  {more!s}"[:WIDTH] for at, name, what, more in said[-steps:]]
    lines += [f"{violation.invariant}: {violation.what}" for violation in played.violations]
    lines.append(f"again: python -m nexum.testing.sim --seed {played.seed} --steps {steps}")
    return "\n".join(lines)


def kept_seeds(path: Path) -> list[int]:
    """The seeds of a file that keeps what failing seeds have shown."""
    return [int(entry["seed"]) for entry in json.loads(path.read_text("utf-8"))]
