"""The world's clocks, and the modules that ask for the time: there they get that of the process which is running.

`TIMED` are all modules of the product that the simulator runs and that look at a clock, sleep, or ask the system for chance;
a test compares the list with their imports. Only while a world plays do they see the world's; they know nothing of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import nexum.client.start
import nexum.engine.clock
import nexum.engine.patience
import nexum.engine.sweep
import nexum_orchestrator.sessions
from nexum.testing.sim.machine import SECOND, Machine

TIMED: dict[Any, tuple[str, ...]] = {
    nexum.engine.clock: ("time",),
    nexum.engine.patience: ("time",),
    nexum.engine.sweep: ("time",),
    nexum.client.start: ("os", "secrets"),
    nexum_orchestrator.sessions: ("time",),
}
EPOCH = 1_800_000_000 * SECOND  # what the database's clock shows when a world begins


class DatabaseClock:
    """The clock that decides: it may be stepped."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.offset = 0

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return EPOCH + self._machine.now + self.offset


@contextmanager
def virtual(machine: Machine) -> Iterator[None]:
    """Inside, the product's modules live in this machine's time, and log nothing."""
    seen = {
        "time": SimpleNamespace(
            monotonic=lambda: _mine(machine) / 1e9,
            monotonic_ns=lambda: _mine(machine),
            sleep=lambda seconds: machine.sleep(int(seconds * SECOND)),
        ),
        "os": SimpleNamespace(urandom=machine.rng.randbytes),
        "secrets": SimpleNamespace(token_hex=lambda size: machine.rng.randbytes(size).hex()),
    }
    real = [(module, name, getattr(module, name)) for module, names in TIMED.items() for name in names]
    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    for module, name, _ in real:
        setattr(module, name, seen[name])
    try:
        yield
    finally:
        for module, name, thing in real:
            setattr(module, name, thing)
        logging.disable(quiet)


def _mine(machine: Machine) -> int:
    """The monotonic clock of the process that is running."""
    assert machine.current is not None
    return machine.current.process.monotonic_ns
