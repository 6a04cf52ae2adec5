"""A scheduler process as `nexum scheduler` runs it: `python -m benchmarks.scheduler DATABASE BROKER`."""

from __future__ import annotations

import logging
import sys

from nexum import logs
from nexum.settings import NO_BROKER, Settings
from nexum_orchestrator.scheduler import run_scheduler


def main(database: str, broker: str) -> int:
    """Sweep at the default pace until told to stop; gives the exit code."""
    logs.configure(logging.WARNING, as_json=False)
    return run_scheduler(Settings(database=database, broker=broker or NO_BROKER))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
