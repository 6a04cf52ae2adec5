#!/usr/bin/env python
"""Django's command line for this repository, with `nexum_dashboard.settings`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Run one management command."""
    for room in ("migrations", "dashboard", "workers", "orchestrator", ""):
        sys.path.insert(0, str(ROOT / room))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexum_dashboard.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
