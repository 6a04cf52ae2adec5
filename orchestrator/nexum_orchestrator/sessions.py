"""Which sessions are dead although nobody proved it: three clocks must agree.

The database's clock says that the lease has run out; our own monotonic clock says that we ourselves have watched the same
beat for a whole lease without a gap; and the database has answered all that time. A restart of the database, a step of its
clock or a pause of this process therefore declares nobody dead: each of them begins the watch anew.

A process of our own process table needs no watch: when its number is gone from the table, so is the process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nexum.presence import is_gone
from nexum.store.api import SessionRow, Store
from nexum.store.shapes import EXPIRED, SILENCE

logger = logging.getLogger("nexum.scheduler")

MOST = 20  # sessions declared dead in one look; more at once smell of an error of ours
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A beat, and since when (our clock, seconds) it is the newest one that we have seen."""

    beats: int
    since: float


class Vigil:
    """Watches sessions. `me` names this scheduler in the proof; `clock` counts seconds and never steps.

    `gone` tells whether a session's process, by its number, is certainly dead.
    """

    def __init__(
        self,
        store: Store,
        *,
        me: str,
        clock: Callable[[], float] = time.monotonic,
        gone: Callable[[str, int], bool] = is_gone,
    ) -> None:
        self._store = store
        self._me = me
        self._clock = clock
        self._gone = gone
        self._seen: dict[str, _Seen] = {}
        self._looked_at = clock()

    def forget(self) -> None:
        """Begin every watch anew, because the database did not answer."""
        self._seen.clear()

    def look(self) -> list[str]:
        """Declare the dead dead; gives their sessions. Raises `UnavailableError` when the database does not answer."""
        rows, buried = self._bury(self._store.sessions())
        now, at = self._store.now(), self._clock()
        self._forget_after_gap(rows, at)
        seen = {row.session: self._newest(row, at) for row in rows}
        self._seen = seen
        dead = [row for row in rows if _is_overdue(row, now) and at - seen[row.session].since >= row.lease / MICROS]
        for row in dead[:MOST]:
            self._end(row, at - seen[row.session].since)
        return buried + [row.session for row in dead[:MOST]]

    def _bury(self, rows: Sequence[SessionRow]) -> tuple[list[SessionRow], list[str]]:
        """End the sessions of neighbours that are gone; gives the others, and who was buried."""
        left, buried = [], []
        for row in rows:
            # a living parent knows better how its child died, and says so within a moment
            told = row.kind == "worker" and not self._gone(row.session, row.parent_pid)
            if not told and self._gone(row.session, row.pid):
                self._tell(row, f"{SILENCE}process {row.pid} is gone from the process table of {self._me}")
                buried.append(row.session)
            else:
                left.append(row)
        return left, buried

    def _newest(self, row: SessionRow, at: float) -> _Seen:
        known = self._seen.get(row.session)
        return known if known is not None and known.beats == row.beats else _Seen(row.beats, at)

    def _forget_after_gap(self, rows: Sequence[SessionRow], at: float) -> None:
        """A watch with a gap of half a lease is no watch: beats may have been impossible meanwhile."""
        shortest = min((row.lease for row in rows), default=0) / MICROS
        if rows and at - self._looked_at > shortest / 2:
            self.forget()
        self._looked_at = at

    def _end(self, row: SessionRow, silent: float) -> None:
        proof = f"{EXPIRED}{self._me} watched beat {row.beats} for {silent:.1f} s, lease {row.lease / MICROS:g} s"
        self._tell(row, proof)

    def _tell(self, row: SessionRow, proof: str) -> None:
        logger.warning("session %s (pid %d on %s) is dead: %s", row.session, row.pid, row.host, proof)
        self._store.end_session(row.session, proof=proof)


def _is_overdue(row: SessionRow, now: int) -> bool:
    return now - row.beat_at > row.lease
