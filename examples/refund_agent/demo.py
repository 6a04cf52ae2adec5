"""`make demo`: run every claim, kill the worker where it hurts, ask the provider's ledger what happened.

Then the same agent on plain Celery, twice: with redelivery tuned to seconds, and with Celery's default. Same world, same
kills. Then a provider that honours no keys: one effect in doubt is asked about, one is held and resolved from the command
line. The exit code is 0 only if Nexum's ledgers are right. `make demo REPEAT=20` does Nexum's part twenty times.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from examples.refund_agent import shown
from examples.refund_agent.cases import Case, cases
from examples.refund_agent.celery_side import run_chain
from examples.refund_agent.contest import Report
from examples.refund_agent.doubt_side import run_doubts
from examples.refund_agent.nexum_side import run_nexum
from nexum.errors import ConfigurationError
from nexum.testing.arguments import Arguments, at_least
from nexum.testing.services import redis_server

RIGHT, WRONG = 0, 70
LIMIT = 120.0  # seconds after which plain Celery is judged as it stands; it needs about 20 on a quiet machine
STILL = 5.0  # seconds without any act after which the default is taken to wait for its redelivery


def main() -> int:
    """Run the demo; gives the exit code."""
    arguments = arguments_of()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 112)
    wanted = cases()
    console.print(shown.opening(wanted))
    folder = Path(arguments.keep).absolute() if arguments.keep else Path(tempfile.mkdtemp(prefix="nexum-demo-"))
    try:
        reports = [run_nexum(folder / "nexum-1", wanted)]
        console.print(shown.claims(reports[0], wanted))
        chains = [] if arguments.nexum_only else _chains(folder, wanted, console)
        console.print(shown.comparison(reports[0], chains))
        console.print(shown.second_act())
        doubts = run_doubts(folder / "doubts", console.print)
        if arguments.repeat > 1:
            console.print(shown.turn(1, reports[0], wanted))
        for turn in range(2, arguments.repeat + 1):
            reports.append(run_nexum(folder / f"nexum-{turn}", wanted))
            console.print(shown.turn(turn, reports[-1], wanted))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    right = sum(shown.is_right(report, wanted) for report in reports)
    console.print(shown.closing(right, reports, wanted, doubts))
    return RIGHT if right == len(reports) and not doubts else WRONG


def _chains(folder: Path, wanted: tuple[Case, ...], console: Console) -> list[Report]:
    """Both plain Celery contestants, side by side, each with a broker and a world of its own."""
    try:
        with redis_server() as tuned, redis_server() as default:
            return _side_by_side(folder, wanted, tuned, default)
    except ConfigurationError as error:
        console.print(f"[yellow]plain Celery was not run: {error.message}; {error.fixes[0]}[/]")
        return []


def _side_by_side(folder: Path, wanted: tuple[Case, ...], tuned: str, default: str) -> list[Report]:
    over = threading.Event()
    reports: dict[str, Report] = {}
    limit = threading.Timer(LIMIT, over.set)

    def run(redelivery: str, broker: str) -> Callable[[], None]:
        def contest() -> None:
            reports[redelivery] = run_chain(
                folder / redelivery,
                wanted,
                name=f"Celery, {redelivery}",
                redelivery=redelivery,
                broker=broker,
                patience=over,
            )

        return contest

    threads = [threading.Thread(target=run(*each)) for each in (("tuned", tuned), ("default", default))]
    limit.start()
    for thread in threads:
        thread.start()
    threads[0].join()
    while threads[1].is_alive() and not over.is_set() and time.time() - _last_act(folder / "default") < STILL:
        threads[1].join(0.1)
    over.set()
    threads[1].join()
    limit.cancel()
    return [reports[name] for name in ("tuned", "default") if name in reports]


def _last_act(folder: Path) -> float:
    """When the provider or the model was last asked for anything, in seconds since 1970."""
    return max(path.stat().st_mtime for path in folder.glob("*.jsonl"))


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process with 64 where it is not understood."""
    parser = Arguments("demo", description=__doc__)
    repeat = os.environ.get("REPEAT") or "1"  # a text: only then does argparse check it
    parser.add_argument("--repeat", type=at_least(1), default=repeat, metavar="N", help="how often Nexum is run")
    parser.add_argument("--nexum-only", action="store_true", help="leave plain Celery out")
    parser.add_argument("--keep", default="", metavar="FOLDER", help="keep ledgers, databases and logs here")
    return parser.parse_args(words)


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    sys.stdout.write(f"{time.monotonic() - began:.0f} s in all\n")
    sys.exit(code)
