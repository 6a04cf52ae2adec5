"""How much of the tests that can always be tried further is tried: little in the fast suite, all in the thorough one."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("NEXUM_THOROUGH") == "1"
QUICK = 5  # the fast suite tries one example in so many


def examples(most: int) -> int:
    """On how many examples a law is tried."""
    return most if THOROUGH else max(1, most // QUICK)
