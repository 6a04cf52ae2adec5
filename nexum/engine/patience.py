"""Waiting for a database that is away: an idempotent act is repeated until it is answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from nexum.crash import crash
from nexum.errors import UnavailableError

log = logging.getLogger("nexum.engine")

T = TypeVar("T")
PATIENCE = 30.0  # seconds for which a result is offered to a database that does not answer


def patiently(act: Callable[[], T]) -> T:
    """Repeat an idempotent act until the database answers, for at most `PATIENCE` seconds; then `UnavailableError`."""
    until = time.monotonic() + PATIENCE
    pause = 0.02
    while True:
        try:
            return act()
        except UnavailableError as error:
            if time.monotonic() + pause > until:
                raise
            log.warning("the database does not answer, trying again in %.2f s: %s", pause, error.message)
            time.sleep(pause)
            crash("inbox.before_retry")
            pause = min(pause * 2, 1.0)
