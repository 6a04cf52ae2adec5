"""What is written down: `build/crash.json`, and from it, where asked, a page for `docs/reports/`."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nexum.store.api import Store
from nexum.store.verbs import Verbs
from nexum.testing.crash.attack import Attack, Outcome
from nexum.testing.crash.scenarios import Scenario
from nexum.testing.crash.world import POISON_AFTER
from nexum.testing.revision import revision
from nexum.testing.services import redis_binary

JSON = Path("build/crash.json")
PACKAGES = ("celery", "kombu", "redis", "psycopg2-binary", "sqlalchemy")
LATER_SECONDS = 5.0  # by how much the 99th percentile may be later while the broker forgets
FALSE_SHARE = 0.01  # of the effects may be in doubt although nobody died
CONFIDENCE = 3.0  # nothing in N runs: with 95 % confidence it happens in less than 3 of N


def figures(attack: Attack, outcome: Outcome, seconds: float, versions: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is known about an attack, flat and in the order in which one reads it."""
    scenario, verdict, attacker = attack.world.scenario, outcome.verdict, outcome.attacker
    attacked, calm = _percentile(outcome.attacked, 0.99), _percentile(outcome.calm, 0.99)
    added = None if attacked is None or calm is None else round(attacked - calm, 2)
    missed = misses(scenario, outcome, added)
    return {
        "scenario": scenario.name,
        "met": not missed,
        "missed": missed,
        **asdict(verdict),
        "runs_wanted": attack.runs,
        "upper_bound_95": round(CONFIDENCE / verdict.runs, 6) if verdict.runs and not missed else None,
        "duplicates_told": outcome.suspected,
        "holds": outcome.doubted,
        "holds_unexplained": outcome.unexplained,
        "holds_decided": outcome.decided,
        "kills": attacker.done,
        "kills_wanted": attacker.wanted,
        "victims": dict(attacker.victims),
        "recovery_p50_s": _percentile(outcome.recoveries, 0.5),
        "recovery_p99_s": _percentile(outcome.recoveries, 0.99),
        "struck_runs": len(outcome.recoveries),
        "calm_p99_s": calm,
        "attacked_p99_s": attacked,
        "added_p99_s": added,
        "lease_s": scenario.lease,
        "poison_after": POISON_AFTER,
        "seconds": round(seconds, 1),
        "seed": attack.seed,
        "versions": dict(versions),
    }


def misses(scenario: Scenario, outcome: Outcome, added: float | None) -> list[str]:
    """Which targets were missed, in words; `added` is by how many seconds the 99th percentile was later."""
    verdict, attacker = outcome.verdict, outcome.attacker
    found = []
    if attacker.done < attacker.wanted:
        found.append(f"only {attacker.done} of {attacker.wanted} attacks were carried out")
    if not verdict.is_whole:
        found.append("runs did not end, or effects were lost, forgotten or unknown")
    if scenario.name == "wrong":
        if verdict.duplicates_alarmed != verdict.duplicates_injected or not verdict.duplicates_injected:
            found.append(f"{verdict.duplicates_alarmed} of {verdict.duplicates_injected} duplicates were alarmed")
        if outcome.suspected != verdict.duplicates_injected:
            found.append(f"runs were told of {outcome.suspected} of {verdict.duplicates_injected} duplicates")
    elif verdict.duplicate_effects:
        found.append(f"{verdict.duplicate_effects} duplicates")
    if scenario.decides and verdict.terminal < verdict.runs:
        found.append(f"{verdict.runs - verdict.terminal} runs have not ended")
    if scenario.explains and outcome.unexplained:
        found.append(f"{outcome.unexplained} of {outcome.doubted} holds are unexplained")
    if scenario.name == "pg-restart" and outcome.doubted > FALSE_SHARE * 2 * verdict.runs:
        found.append(f"{outcome.doubted} effects of {2 * verdict.runs} were in doubt although nobody died")
    if scenario.compares and (added is None or added >= LATER_SECONDS):
        found.append(f"the 99th percentile was {added} s later")
    return found


def versions_of(store: Store) -> dict[str, str]:
    """What took part: Nexum, Python, the servers, the packages between them."""
    assert isinstance(store, Verbs)
    with store.database.once() as tx:
        (postgres,) = tx.execute("SHOW server_version").fetchone()
    found = {"nexum": revision(), "python": platform.python_version(), "postgresql": str(postgres).split()[0]}
    found["redis-server"] = _redis_version()
    for package in PACKAGES:
        with suppress(ModuleNotFoundError):
            found[package] = version(package)
    return found


def write(report: Mapping[str, Any]) -> None:
    """`build/crash.json`."""
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text(json.dumps(report, indent=2) + "\n")


def write_page(path: Path, report: Mapping[str, Any], shows: str) -> None:
    """A page of the same figures; nothing in it is written by hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"| {name} | {_spelled(value)} |" for name, value in report.items()]
    target = "met" if report["met"] else "missed"
    bound = report["upper_bound_95"]
    sure = f"; with 95 % confidence it fails in less than {100 * bound:.3g} % of runs" if bound is not None else ""
    kills = f"{report['kills']:,} attacks"
    text = [
        f"# {report['scenario']}, {report['runs']:,} runs, {kills}: target {target}",
        "",
        f"{shows[0].upper()}{shows[1:]}.",
        "",
        (
            f"{report['duplicate_effects']:,} duplicate, {report['lost_effects']:,} lost, {report['unknown_effects']:,} unknown "
            f"effects; {report['terminal']:,} of {report['runs']:,} runs have ended{sure}."
        ),
        "",
        (
            "What the figures mean stands in [the scenarios](../how-to/crash-scenarios.md). Written by "
            f"`make crash SCENARIO={report['scenario']} RUNS={report['runs_wanted']} KILLS={report['kills_wanted']} "
            f"SEED={report['seed']} REPORT=...`."
        ),
        "",
        "| figure | value |",
        "|---|---|",
        *rows,
        "",
    ]
    path.write_text("\n".join(text), "utf-8")


def _spelled(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "not measured here" if value is None else str(value)


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values; None without any."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 2) if values else None


def _redis_version() -> str:
    said = subprocess.run([str(redis_binary()), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return next((word[2:] for word in said.split() if word.startswith("v=")), said.strip())
