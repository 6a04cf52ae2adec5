"""What must not last: an attempt beyond its time limits, a call to the database beyond reason."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from nexum.core.graph.nodes import Llm
from nexum.core.run.accept import LINGERS
from nexum.engine.work import Outcome, Work
from nexum_workers.outcome import overtime, silence
from nexum_workers.watchdog import Watchdog

DATABASE_SECONDS = 150.0  # after which a call to the database counts as hung
WAKING_SECONDS = 5.0  # for handlers to bring what they have after the process stood still
LINGERING_SECONDS = LINGERS / 1e6 - 30  # after a deadline: others count with us for longer, and to bite takes its time


class Answer:
    """What a handler brought after the watchdog had taken its attempt: too late to be its end, but not to be known."""

    def __init__(self) -> None:
        self._outcome: Outcome | None = None

    def give(self, outcome: Outcome) -> None:
        """The handler has returned, or raised."""
        self._outcome = outcome

    def take(self) -> Outcome | None:
        """What it brought, once; None when it has brought nothing yet."""
        outcome, self._outcome = self._outcome, None
        return outcome


class Stuck(NamedTuple):
    """Something that must not last: an attempt with the outcome it then has, or (None) a call to the database.

    `answer` is what the attempt's handler brings all the same.
    """

    what: str
    work: Work | None = None
    outcome: Callable[[], Outcome] | None = None
    answer: Answer | None = None


RECORDING = Stuck("recording")


def watchdog(bite: Callable[[Stuck], None]) -> Watchdog[Stuck]:
    """A watchdog that bites what lasts too long, but not at once what lasted while the whole process stood still."""
    return Watchdog(bite, grace=WAKING_SECONDS, lingers=LINGERING_SECONDS)


def watch(watchdog: Watchdog[Stuck], work: Work, grace: float, answer: Answer) -> int:
    """Watch an attempt's start_to_close, and `grace` seconds more; 0 when it has none."""
    if not work.max_run:
        return 0
    what = Stuck(work.node.id, work, partial(overtime, work.node, work.max_run), answer)
    return watchdog.watch(what, work.max_run / 1e6 + grace)


class Limits:
    """The time limits of one attempt, from now until `leave` or `end`, and `grace` seconds more for who is told to end before."""

    def __init__(self, watchdog: Watchdog[Stuck], work: Work, grace: float = 0.0) -> None:
        self._watchdog = watchdog
        beats = not isinstance(work.node, Llm)  # a model sends none while it is asked
        pause = work.node.timeouts.heartbeat if beats else 0
        self._pause = pause / 1e6 + grace if pause else 0.0
        self._answer = Answer()
        silent = Stuck(work.node.id, work, partial(silence, work.node), self._answer)
        self._silent = watchdog.watch(silent, self._pause) if self._pause else 0
        self._watched = [number for number in (watch(watchdog, work, grace, self._answer), self._silent) if number]

    def beat(self, _details: object = None) -> None:
        """The handler is alive."""
        self._watchdog.renew(self._silent, self._pause)

    def end(self, outcome: Outcome | None = None) -> bool:
        """The handler has returned; False when the watchdog was first: what it says stands, and the process ends.

        `outcome` is what there is to say of the attempt by now; it is not lost even then.
        """
        watched, self._watched = self._watched, []
        released = [self._watchdog.release(number) for number in watched]  # each of them, whatever the others say
        if not all(released) and outcome is not None:
            self._answer.give(outcome)
        return all(released)

    def leave(self, outcome: Outcome | None = None) -> None:
        """As `end`, in a thread of the handler's own: never returns when the watchdog was first."""
        if not self.end(outcome):
            threading.Event().wait()

    def record(self) -> None:
        """The handler has returned, and what is left are calls to the database; they are watched until `leave`."""
        self.leave()
        self._watched = [self._watchdog.watch(RECORDING, DATABASE_SECONDS)]
