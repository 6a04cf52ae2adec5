"""The provider's ledger against the database: what was done twice, what was lost, what nobody knows of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nexum.store.api import Store
from nexum.store.judging import EffectState, effects_of_all, evidence_of_all, statuses
from nexum.testing.crash.attackers import Frozen

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TERMINATED"})
KNOWN = frozenset({"RECORDED", "APPLIED"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger and the database say together.

    A duplicate is injected when the provider acted twice, and alarmed when the database holds two different references for
    one key. A late result is an answer whose process had been taken for dead; its evidence is missing when the database
    neither took it nor kept it. A lost acknowledgement is a run that a caller was promised and that does not exist.
    """

    runs: int
    terminal: int
    held_effects: int
    duplicate_effects: int
    lost_effects: int
    unknown_effects: int
    failed_runs: int
    duplicates_injected: int = 0
    duplicates_alarmed: int = 0
    late_results: int = 0
    late_evidence_missing: int = 0
    lost_acknowledgements: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether there were runs, every one ended or is held, and nothing was doubled, lost, forgotten or unknown."""
        return self.duplicate_effects == 0 and self.is_whole

    @property
    def is_whole(self) -> bool:
        """The same without a word about duplicates: for a provider that was trusted wrongly on purpose."""
        bad = self.lost_effects + self.unknown_effects + self.failed_runs
        bad += self.late_evidence_missing + self.lost_acknowledgements
        return self.runs > 0 and bad == 0 and self.terminal + self.held_effects >= self.runs


def ledger_acts(path: Path) -> list[dict[str, Any]]:
    """Every act that the provider executed."""
    if not path.exists():
        return []
    return [cast("dict[str, Any]", json.loads(line)) for line in path.read_text().splitlines() if line.strip()]


def judge(store: Store, ledger: Path, wanted: Mapping[str, str], frozen: Iterable[Frozen] = ()) -> Verdict:
    """Compare; `wanted` maps the ids of the runs that were promised to order ids, `frozen` are the zombies' effects."""
    acts = ledger_acts(ledger)
    effects = effects_of_all(store)
    found = statuses(store, list(wanted))
    by_key = Counter(act["key"] for act in acts)
    by_deed = Counter((act["act"], act["body"].get("order_id") or act["body"].get("to")) for act in acts)
    twice = sum(n - 1 for n in by_key.values())
    known = {effect.key for effect in effects if effect.state in KNOWN}
    held = [effect for effect in effects if effect.state == "IN_DOUBT"]
    visible = known | {effect.key for effect in effects if effect.state in ("IN_DOUBT", "UNKNOWN", "CLAIMED")}
    lost = 0
    for run_id, status in found.items():
        if status == "COMPLETED":
            order = wanted[run_id]
            lost += by_deed[("refund", order)] == 0
            lost += by_deed[("mail", f"{order}@example.org")] == 0
    lost += sum(effect.key not in by_key for effect in effects if effect.state in KNOWN)
    late, missing, alarmed = _late(store, effects, list(frozen))
    return Verdict(
        runs=len(wanted),
        terminal=sum(status in ENDED for status in found.values()),
        held_effects=len(held),
        duplicate_effects=max(twice, sum(n - 1 for n in by_deed.values())),  # of one key, or of one deed under two keys
        lost_effects=lost,
        unknown_effects=sum(key not in visible for key in by_key),
        failed_runs=sum(status in ENDED and status != "COMPLETED" for status in found.values()),
        duplicates_injected=twice,
        duplicates_alarmed=alarmed,
        late_results=late,
        late_evidence_missing=missing,
        lost_acknowledgements=len(wanted.keys() - found.keys()),
    )


def _late(store: Store, effects: list[EffectState], frozen: list[Frozen]) -> tuple[int, int, int]:
    """Late results, those of which no evidence is left, and duplicates that two different references prove."""
    evidence = evidence_of_all(store)
    references: dict[str, set[str]] = {}
    for key, reference in [(e.key, e.reference) for e in effects] + [(e.key, e.reference) for e in evidence]:
        if reference:
            references.setdefault(key, set()).add(reference)
    taken = {(effect.key, effect.token) for effect in effects if effect.state in KNOWN}
    kept = {(row.key, row.token) for row in evidence}
    missing = sum((one.key, one.token) not in taken | kept for one in frozen)
    return max(len(frozen), len(kept)), missing, sum(len(names) - 1 for names in references.values())
