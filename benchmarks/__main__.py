"""`python -m benchmarks [--quick] [--check] [WORKLOAD ...]`: measure, print the ratios, write `build/bench.json`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import growth, report, surfaces, w1, w2, w4, w5
from benchmarks.figures import Figure
from benchmarks.places import BUILD, places
from benchmarks.session import Session
from nexum.testing.arguments import Arguments

WORKLOADS: dict[str, Callable[[Session], list[Figure]]] = {
    "W1": w1.measure,
    "W2": w2.measure,
    "W4": w4.measure,
    "W5": w5.measure,
    "G1": growth.measure_steps,
    "G5": surfaces.measure,
    "G7": growth.measure_document,
}


def main() -> int:
    """Gives the exit code: 70 when a workload failed; with `--check`, 69 when a target was missed."""
    parser = Arguments("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"some of {', '.join(WORKLOADS)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, to look at; the figures are no evidence")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", metavar="PATH", help="default %(default)s")
    given = parser.parse_args()
    unknown = sorted(set(given.workloads) - set(WORKLOADS))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(WORKLOADS)}")
    failed: list[str] = []
    figures: list[Figure] = []
    with places() as here:
        session = Session(here, quick=given.quick)
        for name in given.workloads or WORKLOADS:
            try:
                figures += WORKLOADS[name](session)
            except Exception:  # noqa: BLE001 (one workload that fails must not take the figures of the others along)
                traceback.print_exc()
                failed.append(name)
        session.say("done")
        found = report.document(session, figures) | {"failed": failed}
    report.write(given.json, found)
    print(report.table(found, figures))
    print(f"\nwritten to {given.json}")
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 70
    missed = report.missed(figures)
    if missed:
        print(f"targets missed: {', '.join(missed)}")
    return 69 if missed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
