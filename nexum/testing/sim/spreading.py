"""Work spread over processes, and what they give put back into order: whoever reads it cannot tell how many there were."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def spread(act: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R]:
    """What `act` makes of each item, in the order of the items, in `jobs` processes; with one, in this one.

    What is not begun when nobody reads any further is not begun. `act`, items and results go between processes.
    """
    if jobs <= 1:
        yield from map(act, items)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(act, items)
