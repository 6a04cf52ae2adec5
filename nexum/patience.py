"""Waiting for a service that does not answer yet, and saying so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from nexum.errors import UnavailableError

logger = logging.getLogger("nexum.wait")

T = TypeVar("T")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
SAY_EVERY = 30.0  # seconds between two lines that say that we still wait


def patiently(act: Callable[[], T], what: str, give_up: Callable[[], bool] = lambda: False) -> T:
    """Call `act` until it does not raise `UnavailableError`; says at once, and every half minute, what it waits for.

    Raises the last `UnavailableError` when `give_up()` is true.
    """
    pause, silent = FIRST_PAUSE, SAY_EVERY
    said = False
    while True:
        try:
            answer = act()
        except UnavailableError as error:
            if give_up():
                raise
            if silent >= SAY_EVERY:
                logger.warning("waiting for %s: %s", what, error.message, extra={"code": error.code})
                said, silent = True, 0.0
            threading.Event().wait(pause)
            silent += pause
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            if said:
                logger.info("%s answers", what)
            return answer
