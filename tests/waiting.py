"""The one way tests wait: for a claim to come true, never for time to pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(predicate: Callable[[], T], seconds: float = 10, every: float = 0.01) -> T:
    """Ask `predicate` every `every` seconds until its answer is truthy, and give the answer.

    Raises `AssertionError` with the last answer after `seconds`; what the predicate raises is raised at once.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        pause.wait(every)
    return answer
