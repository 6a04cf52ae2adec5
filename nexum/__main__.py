"""`python -m nexum`: the same commands and exit codes as `nexum`."""

from __future__ import annotations

import sys

from nexum.cli.main import run

if __name__ == "__main__":
    sys.exit(run(prog="python -m nexum"))
