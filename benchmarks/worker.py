"""A worker process as `nexum worker` runs it, for the workflows of the benchmarks.

`python -m benchmarks.worker DATABASE BROKER PROCESSES [hop]`. With `hop` no step is continued in the process that executed
the one before: each is announced, and claimed by whoever hears of it. The product has no such switch, so that the engine's
own verb is asked for it here.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from benchmarks.agents import REGISTRY
from nexum import logs
from nexum.engine.engine import Engine
from nexum.settings import NO_BROKER, Settings
from nexum_workers.run import run_worker


def never_continue() -> None:
    """Make `finish` claim nothing, as it does for a worker that is about to stop."""
    finish = Engine.finish

    def hand_over(self: Engine, work: Any, outcome: Any, *, keep: bool = True) -> Any:
        return finish(self, work, outcome, keep=False)

    Engine.finish = hand_over  # type: ignore[method-assign]


def main(database: str, broker: str, processes: str, hop: str = "") -> int:
    """Serve until told to stop; gives the exit code."""
    logs.configure(logging.WARNING, as_json=False)
    if hop:
        never_continue()
    settings = Settings(database=database, broker=broker or NO_BROKER)
    return run_worker(settings, REGISTRY, processes=int(processes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
