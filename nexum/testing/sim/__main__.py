"""`python -m nexum.testing.sim`: play seeds and report; exit code 1 when an invariant did not hold."""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from pathlib import Path

from nexum.testing.sim.pages import write_series
from nexum.testing.sim.report import Summary, kept_seeds, told, written
from nexum.testing.sim.spreading import cores, spread
from nexum.testing.sim.world import play_lot

LOT = 25  # seeds that a process plays before it reports


def main(arguments: list[str] | None = None) -> int:
    """Play, print, write the report; the exit code."""
    given = _parse(arguments)
    summary = Summary()
    seeds = _seeds(given)
    lots = [seeds[at : at + LOT] for at in range(0, len(seeds), LOT)]
    for played in chain.from_iterable(spread(play_lot, lots, given.jobs)):
        summary.add(played)
        if played.violations or given.seed is not None:
            sys.stdout.write(told(played, steps=given.steps) + "\n")
            if summary.failed >= given.most:
                break
    written(summary, Path(given.json))
    if given.report:
        write_series(Path(given.report), summary.as_json(), first=given.first)
    sys.stdout.write(f"{summary}\n")
    return 1 if summary.failed else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m nexum.testing.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds to play")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="play this seed alone, and show its last steps")
    parser.add_argument("--replay", help="play the seeds of this file")
    parser.add_argument("--jobs", type=int, default=cores(), help="in how many processes; the report is the same")
    parser.add_argument("--json", default="build/sim.json", help="where the report goes")
    parser.add_argument("--report", default="", help="also write a page of a series to this file")
    parser.add_argument("--steps", type=int, default=40, help="how many of the last steps to show")
    parser.add_argument("--most", type=int, default=5, help="after how many failing seeds to stop")
    return parser.parse_args(arguments)


def _seeds(given: argparse.Namespace) -> range | list[int]:
    if given.seed is not None:
        return [given.seed]
    if given.replay:
        return kept_seeds(Path(given.replay))
    return range(given.first, given.first + given.seeds)


if __name__ == "__main__":
    sys.exit(main())
