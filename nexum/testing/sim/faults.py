"""What goes wrong, and how often: the rates are drawn anew for each seed, and some seeds are calm."""

from __future__ import annotations

import random
from collections import Counter
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of one call that leaves a process."""

    PROCEED = "proceed"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    REFUSED = "not executed"
    UNANSWERED = "executed, answer lost"
    LATE = "answered late"
    STOPPED = "stopped before"


_STORE = (Fate.KILLED_BEFORE, Fate.KILLED_AFTER, Fate.REFUSED, Fate.UNANSWERED, Fate.LATE, Fate.STOPPED)


class Faults:
    """The faults of one seed; `calm` seeds have none. `counts` says what went wrong so far.

    `on` turns them off for the time after the safety phase.
    """

    def __init__(self, rng: random.Random, *, calm: bool) -> None:
        self._rng = rng
        self.calm = calm
        self.on = not calm
        self.counts: Counter[str] = Counter()
        heavy = rng.choice([0.2, 1.0, 2.0, 3.0])
        self._rates = {fate: heavy * rng.choice([0.0, 0.002, 0.005, 0.02]) for fate in _STORE}
        self._total = sum(self._rates.values())
        self._others: dict[str, float] = {}

    def fate(self) -> Fate:
        """What becomes of a call to the store."""
        if not self.on or self._rng.random() >= self._total:
            return Fate.PROCEED
        fate = self._rng.choices(_STORE, [self._rates[fate] for fate in _STORE])[0]
        self.counts[fate] += 1
        return fate

    def strikes(self, what: str, most: float) -> bool:
        """Whether something named goes wrong now; its rate lies between 0 and `most` and is the same for the whole seed."""
        if what not in self._others:
            self._others[what] = most * self._rng.choice([0.0, 0.2, 0.5, 1.0])
        if not self.on or self._rng.random() >= self._others[what]:
            return False
        self.counts[what] += 1
        return True

    @property
    def total(self) -> int:
        """How many things went wrong so far."""
        return sum(self.counts.values())
