"""A circuit breaker: after a failure nothing is tried for a while."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Breaker:
    """Closed (all well) or open for `pause` seconds after each failure; `clock` counts seconds."""

    def __init__(self, pause: float = 5.0, clock: Callable[[], float] = monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._open_until = 0.0
        self._failing = False

    @property
    def is_open(self) -> bool:
        """Whether it is still too early to try again."""
        return self._failing and self._clock() < self._open_until

    @property
    def is_failing(self) -> bool:
        """Whether the last try failed; stays so through the pause until a try succeeds."""
        return self._failing

    def failed(self) -> None:
        """Note a failure: open for the pause."""
        self._failing = True
        self._open_until = self._clock() + self._pause

    def succeeded(self) -> None:
        """Note a success: closed."""
        self._failing = False
