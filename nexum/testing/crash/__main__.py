"""`make crash RUNS=500 KILLS=100 SCENARIO=hold`: attack, judge by the ledger, write build/crash.json."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.judging import effects_of_all, evidence_of_all, statuses
from nexum.testing.arguments import Arguments, at_least
from nexum.testing.crash.attack import Attack, Outcome, say
from nexum.testing.crash.report import figures, versions_of, write, write_page
from nexum.testing.crash.scenarios import SCENARIOS
from nexum.testing.crash.world import world

MET, MISSED, TOLD_TO_END = 0, 1, 143


def main() -> int:
    """Run one scenario; gives the exit code."""
    arguments = arguments_of()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TOLD_TO_END))  # so that everything that was started is ended
    scenario = SCENARIOS[arguments.scenario]
    folder = Path(tempfile.mkdtemp(prefix="nexum-crash-"))
    began = time.monotonic()
    with world(folder, scenario, kills=arguments.kills, seed=arguments.seed) as here:
        store = open_store(here.database, role="judge")
        pause = arguments.pause or scenario.pause
        attack = Attack(here, store, arguments.runs, arguments.kills, pause, arguments.seed)
        outcome = attack.carry_out()
        report = figures(attack, outcome, time.monotonic() - began, versions_of(store))
        if not report["met"]:
            _keep_evidence(store, folder, outcome)
        store.close()
    write(report)
    if arguments.report:
        write_page(Path(arguments.report), report, scenario.shows)
    say("\n".join(f"  {name:22} {value}" for name, value in report.items()))
    if report["met"]:
        shutil.rmtree(folder, ignore_errors=True)
        return MET
    for miss in report["missed"]:
        sys.stderr.write(f"missed: {miss}\n")
    sys.stderr.write(f"logs, ledger and evidence are kept in {folder}\n")
    return MISSED


def _keep_evidence(store: Store, folder: Path, outcome: Outcome) -> None:
    """The events of every run that did not complete, every effect that is not applied, every late answer and hold."""
    found = statuses(store, list(outcome.wanted))
    unapplied = [effect for effect in effects_of_all(store) if effect.state != "APPLIED"]
    odd = {run_id for run_id, status in found.items() if status != "COMPLETED"} | {one.run_id for one in unapplied}
    odd |= {hold.run_id for hold in outcome.holds if not hold.is_explained}
    document = {
        "missing": sorted(outcome.wanted.keys() - found.keys()),
        "runs": {
            run_id: [
                f"{row.seq} {row.type} {row.path} {row.attempt} {row.body.decode('utf-8', 'replace')[:500]}"
                for row in store.events_after(run_id, 0)
            ]
            for run_id in sorted(odd)
        },
        "effects": [effect._asdict() for effect in unapplied],
        "late": [late._asdict() for late in evidence_of_all(store)],
        "holds": [asdict(hold) for hold in outcome.holds],
        "frozen": [asdict(one) for one in getattr(outcome.attacker, "frozen", ())],
    }
    (folder / "evidence.json").write_text(json.dumps(document, indent=1))


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process with 64 where it is not understood."""
    parser = Arguments("crash", description=__doc__)
    parser.add_argument("runs", type=at_least(1))
    parser.add_argument("kills", type=at_least(0))
    parser.add_argument("--scenario", choices=tuple(SCENARIOS), default="dedupe")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two attacks, on average; 0: as usual")
    parser.add_argument("--report", default="", help="also write a page of the figures to this file")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
