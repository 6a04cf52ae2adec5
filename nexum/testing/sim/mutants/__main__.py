"""`python -m nexum.testing.sim.mutants`: bring each race back and see that a seed fails; exit code 1 when one survives."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

from nexum.testing.sim.mutants.races import ELSEWHERE, MUTANTS, Mutant
from nexum.testing.sim.world import play


class Hunt(NamedTuple):
    """What became of a mutant. `reached` is how often the seeds played came by the place where it differs."""

    race: str
    without: str
    caught: bool
    first_seed: int | None
    by: str
    reached: int


def hunt(mutant: Mutant, seeds: int) -> Hunt:
    """Play seeds on the mutant until one fails."""
    hits = [0]
    for seed in range(seeds):
        with mutant.applied(hits):
            violations = play(seed).violations
        if violations and not play(seed).violations:  # it is the mutant, and not the seed
            first = violations[0]
            by = f"{first.invariant}: {first.what}"[:200]
            return Hunt(mutant.race, mutant.without, hits[0] > 0, seed, by, hits[0])
    return Hunt(mutant.race, mutant.without, caught=False, first_seed=None, by="", reached=hits[0])


def main(arguments: list[str] | None = None) -> int:
    """Hunt them all, print, write the report; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nexum.testing.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5_000, help="how many seeds a mutant may survive")
    parser.add_argument("--race", help="only the mutants of this race")
    parser.add_argument("--json", default="build/mutants.json", help="where the report goes")
    given = parser.parse_args(arguments)
    found = []
    for mutant in MUTANTS:
        if given.race in (None, mutant.race):
            found.append(hunt(mutant, given.seeds))
            sys.stdout.write(f"{told(found[-1])}\n")
            sys.stdout.flush()
    path = Path(given.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"seeds": given.seeds, "mutants": [each._asdict() for each in found], "elsewhere": ELSEWHERE}
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
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
