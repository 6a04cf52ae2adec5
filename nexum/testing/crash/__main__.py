"""`make crash RUNS=500 KILLS=100`: start runs, kill processes, judge by the ledger, write build/crash.json."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.judging import effects_of_all, statuses
from nexum.testing.arguments import Arguments, at_least
from nexum.testing.crash.judge import ENDED, Verdict, judge
from nexum.testing.crash.monkey import Monkey
from nexum.testing.crash.world import POISON_AFTER, World, world

REPORT = Path("build/crash.json")
LEASE_SECONDS = 3.0
GRACE = 90.0  # seconds after the last kill in which every run must end
LANES = 8  # starts at a time
CLEAN, FOUND = 0, 70


def main() -> int:
    """Run the suite; gives the exit code."""
    arguments = arguments_of()
    folder = Path(tempfile.mkdtemp(prefix="nexum-crash-"))
    began = time.monotonic()
    with world(folder, lease=LEASE_SECONDS, prepare="nexum.testing.crash.agents") as here:
        store = open_store(here.database, role="judge")
        monkey = Monkey(here, store, arguments.seed, arguments.kills, arguments.pause)
        wanted = _attack(here, store, monkey, arguments.runs)
        verdict = judge(store, here.ledger, wanted)
        clean = verdict.is_clean and monkey.has_killed_all
        if not clean:
            _keep_evidence(store, folder, wanted)
        store.close()
    report = _report(verdict, monkey, arguments, time.monotonic() - began)
    _write(report)
    if clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        sys.stderr.write(f"logs and ledger are kept in {folder}\n")
    if not monkey.has_killed_all:
        sys.stderr.write(
            f"only {monkey.done} of {monkey.kills} kills were done: the attack was not the one asked for\n"
        )
    return CLEAN if clean else FOUND


def _attack(here: World, store: Store, monkey: Monkey, runs: int) -> dict[str, str]:
    """Start the runs while the monkey rages; wait until all have ended or are held.

    Where all have ended before the last kill, more are started: a kill that finds nothing to do would prove nothing.
    """
    wanted: dict[str, str] = {}
    rage = threading.Thread(target=monkey.rampage, name="monkey")
    over = threading.Event()
    watch = threading.Thread(target=monkey.watch, args=(over,), name="watch")
    watch.start()
    length = monkey.kills * monkey.pause
    rage.start()
    lanes = min(LANES, runs)
    with ThreadPoolExecutor(lanes) as pool:
        for order, run_id in pool.map(lambda place: _start(here, place, length * lanes / runs), range(1, runs + 1)):
            wanted[run_id] = order
    _say(f"{runs} runs started")
    limit = time.monotonic() + GRACE
    while True:
        ended = sum(status in ENDED for status in statuses(store, list(wanted)).values())
        if rage.is_alive():
            limit = time.monotonic() + GRACE
            if ended == len(wanted):
                order, run_id = _start(here, len(wanted) + 1, 0.0)
                wanted[run_id] = order
        if not rage.is_alive() and (ended == len(wanted) or time.monotonic() > limit):
            break
        time.sleep(0.1)
    rage.join()
    over.set()
    watch.join()
    _say(f"{monkey.done} kills: {monkey.victims}; {ended} of {len(wanted)} runs have ended")
    return wanted


def _start(here: World, place: int, pause: float) -> tuple[str, str]:
    """Start one run after about `pause` seconds, asking again for as long as nobody answers."""
    order = f"order-{place}"
    time.sleep(pause * random.Random(place).uniform(0.5, 1.0))  # noqa: S311
    while True:
        try:
            answer = httpx.post(f"{here.web_url}/orders/{order}", json={"amount": 1000 + place}, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == 201:
            return order, str(answer.json()["run_id"])
        time.sleep(0.2)


def _keep_evidence(store: Store, folder: Path, wanted: dict[str, str]) -> None:
    """The events of every run that did not complete, and every effect that is not applied."""
    found = statuses(store, list(wanted))
    odd = {
        run_id: [
            f"{row.seq} {row.type} {row.path} {row.attempt} {row.body.decode('utf-8', 'replace')[:500]}"
            for row in store.events_after(run_id, 0)
        ]
        for run_id, status in found.items()
        if status != "COMPLETED"
    }
    effects = [effect._asdict() for effect in effects_of_all(store) if effect.state != "APPLIED"]
    (folder / "evidence.json").write_text(json.dumps({"runs": odd, "effects": effects}, indent=1))


def _report(verdict: Verdict, monkey: Monkey, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    times = sorted(monkey.recoveries)
    return {
        **asdict(verdict),
        "kills": monkey.done,
        "kills_wanted": monkey.kills,
        "victims": monkey.victims,
        "recovery_p50_s": round(times[len(times) // 2], 2) if times else None,
        "recovery_p99_s": round(times[min(len(times) - 1, int(len(times) * 0.99))], 2) if times else None,
        "struck_runs": len(times),
        "lease_s": LEASE_SECONDS,
        "poison_after": POISON_AFTER,
        "seconds": round(seconds, 1),
        "seed": arguments.seed,
    }


def _write(report: dict[str, Any]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    _say("\n".join(f"  {name:18} {value}" for name, value in report.items()))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process with 64 where it is not understood."""
    parser = Arguments("crash", description=__doc__)
    parser.add_argument("runs", type=at_least(1))
    parser.add_argument("kills", type=at_least(0))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between two kills, on average")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
