"""The provider's ledger against the database: what was done twice, what was lost, what nobody knows of."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nexum.store.api import Store
from nexum.store.judging import effects_of_all, statuses

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TERMINATED"})
KNOWN = frozenset({"RECORDED", "APPLIED"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger and the database say together. All but `terminal` and `held_effects` should be 0."""

    runs: int
    terminal: int
    held_effects: int
    duplicate_effects: int
    lost_effects: int
    unknown_effects: int
    failed_runs: int

    @property
    def is_clean(self) -> bool:
        """Whether there were runs, every one ended or is held, and nothing was doubled, lost or unknown."""
        bad = self.duplicate_effects + self.lost_effects + self.unknown_effects + self.failed_runs
        return self.runs > 0 and bad == 0 and self.terminal + self.held_effects >= self.runs


def ledger_acts(path: Path) -> list[dict[str, Any]]:
    """Every act that the provider executed."""
    if not path.exists():
        return []
    return [cast("dict[str, Any]", json.loads(line)) for line in path.read_text().splitlines() if line.strip()]


def judge(store: Store, ledger: Path, wanted: dict[str, str]) -> Verdict:
    """Compare; `wanted` maps run ids to order ids."""
    acts = ledger_acts(ledger)
    effects = effects_of_all(store)
    found = statuses(store, list(wanted))
    by_key = Counter(act["key"] for act in acts)
    by_deed = Counter((act["act"], act["body"].get("order_id") or act["body"].get("to")) for act in acts)
    duplicates = sum(n - 1 for n in by_key.values()) + sum(max(0, n - 1) for n in by_deed.values())
    known = {effect.key for effect in effects if effect.state in KNOWN}
    held = [effect for effect in effects if effect.state == "IN_DOUBT"]
    visible = known | {effect.key for effect in effects if effect.state in ("IN_DOUBT", "UNKNOWN", "CLAIMED")}
    completed = [run_id for run_id, status in found.items() if status == "COMPLETED"]
    lost = 0
    for run_id in completed:
        order = wanted[run_id]
        lost += by_deed[("refund", order)] == 0
        lost += by_deed[("mail", f"{order}@example.org")] == 0
    lost += sum(effect.key not in by_key for effect in effects if effect.state in KNOWN)
    return Verdict(
        runs=len(wanted),
        terminal=sum(status in ENDED for status in found.values()),
        held_effects=len(held),
        duplicate_effects=duplicates,
        lost_effects=lost,
        unknown_effects=sum(key not in visible for key in by_key),
        failed_runs=sum(status in ENDED and status != "COMPLETED" for status in found.values()),
    )
