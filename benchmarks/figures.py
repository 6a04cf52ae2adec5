"""The arithmetic: rounds become figures, figures become ratios, ratios are held against targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LOWER, HIGHER = "lower", "higher"
PEERS = ("commit_floor", "hop_floor", "dbos_pg", "dbos_sqlite", "celery_chain", "celery_chord", "restate")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed. Raises `ValueError` without values."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)  # ceiling
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be reached: `must` for the ratio against a peer, or, with no peer, for the figure itself."""

    must: float
    against: str = ""


@dataclass(slots=True)
class Figure:
    """One measured quantity. `rounds` has Nexum's value per round, `others` each peer's in the same rounds.

    `direction` says which way is better. A peer that was not measured in a round leaves None there.
    """

    name: str
    title: str
    unit: str
    direction: str = LOWER
    targets: tuple[Target, ...] = ()
    rounds: list[float] = field(default_factory=list)
    others: dict[str, list[float | None]] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)

    def add(self, value: float, others: Mapping[str, float | None] | None = None) -> None:
        """One round. Raises `ValueError` for a peer that `bench.json` does not know."""
        given = dict(others or {})
        if unknown := given.keys() - set(PEERS):
            raise ValueError(f"unknown peers: {', '.join(sorted(unknown))}")
        self.rounds.append(value)
        for peer in given.keys() | self.others.keys():
            row = self.others.setdefault(peer, [None] * (len(self.rounds) - 1))
            row.append(given.get(peer))

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def against(self) -> dict[str, float]:
        """Nexum's figure divided by the other's, per round, then the median of the rounds."""
        found: dict[str, float] = {}
        for peer, row in self.others.items():
            ratios = [ours / other for ours, other in zip(self.rounds, row, strict=True) if other]
            if ratios:
                found[peer] = statistics.median(ratios)
        return found

    def verdicts(self) -> list[tuple[Target, float | None, bool | None]]:
        """Each target with what was reached; None where the peer was not there to be compared with."""
        found: list[tuple[Target, float | None, bool | None]] = []
        for target in self.targets:
            reached = self.against.get(target.against) if target.against else self.value
            met = None if reached is None else self._reaches(reached, target.must)
            found.append((target, reached, met))
        return found

    def document(self) -> dict[str, Any]:
        """The figure as `bench.json` has it."""
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "direction": self.direction,
            "value": _rounded(self.value),
            "rounds": [_rounded(value) for value in self.rounds],
            "against": {peer: _rounded(ratio) for peer, ratio in sorted(self.against.items())},
            "others": {
                peer: _rounded(statistics.median(known))
                for peer, row in sorted(self.others.items())
                if (known := [value for value in row if value is not None])
            },
            "targets": [
                {"against": target.against or None, "must": target.must, "met": met}
                for target, _, met in self.verdicts()
            ],
            "notes": self.notes,
        }

    def _reaches(self, reached: float, must: float) -> bool:
        return reached <= must if self.direction == LOWER else reached >= must


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
