"""`python -m nexum.testing.sim.mutants`: bring each race back and see that a seed fails; exit code 1 when one survives."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from nexum.testing.revision import revision
from nexum.testing.sim.mutants.hunting import MUTANTS, Hunt, hunt_at
from nexum.testing.sim.mutants.races import ELSEWHERE
from nexum.testing.sim.pages import write_hunts
from nexum.testing.sim.spreading import cores, spread


def main(arguments: list[str] | None = None) -> int:
    """Hunt them all, print, write the report; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nexum.testing.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5_000, help="how many seeds a mutant may survive")
    parser.add_argument("--race", help="only the mutants of this race")
    parser.add_argument("--jobs", type=int, default=cores(), help="in how many processes; the report is the same")
    parser.add_argument("--json", default="build/mutants.json", help="where the report goes")
    parser.add_argument("--report", default="", help="also write a page to this file")
    given = parser.parse_args(arguments)
    chosen = [place for place, mutant in enumerate(MUTANTS) if given.race in (None, mutant.race)]
    found = []
    for hunted in spread(partial(hunt_at, seeds=given.seeds), chosen, given.jobs):
        found.append(hunted)
        sys.stdout.write(f"{told(hunted)}\n")
        sys.stdout.flush()
    path = Path(given.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "seeds": given.seeds,
        "nexum": revision(),
        "mutants": [each._asdict() for each in found],
        "elsewhere": ELSEWHERE,
    }
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if given.report:
        write_hunts(Path(given.report), report)
    survivors = [each for each in found if not each.caught]
    caught = len(found) - len(survivors)
    sys.stdout.write(f"{caught} of {len(found)} mutants caught; {len(ELSEWHERE)} races are held elsewhere\n")
    return 1 if survivors else 0


def told(found: Hunt) -> str:
    """One line about a mutant."""
    if found.caught:
        return f"{found.race:4} without {found.without}: seed {found.first_seed}, {found.by}"
    return f"{found.race:4} without {found.without}: SURVIVED, reached {found.reached:,} times"


if __name__ == "__main__":
    sys.exit(main())
