"""Which sessions are dead although nobody proved it: three clocks must agree.

The database's clock says that the lease has run out; our own monotonic clock says that we ourselves have watched the same
beat for a whole lease without a gap; and the database has answered all that time. A restart of the database, a step of its
clock or a pause of this process therefore declares nobody dead: each of them begins the watch anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nexum.store.api import SessionRow, Store
from nexum.store.shapes import SILENCE

logger = logging.getLogger("nexum.scheduler")

MOST = 20  # sessions declared dead in one look; more at once smell of an error of ours
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A beat, and since when (our clock, seconds) it is the newest one that we have seen."""

    beats: int
    since: float


class Vigil:
    """Watches sessions. `me` names this scheduler in the proof; `clock` counts seconds and never steps."""

    def __init__(self, store: Store, *, me: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._me = me
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._looked_at = clock()

    def forget(self) -> None:
        """Begin every watch anew, because the database did not answer."""
        self._seen.clear()

    def look(self) -> list[str]:
        """Declare the dead dead; gives their sessions. Raises `UnavailableError` when the database does not answer."""
        rows = self._store.sessions()
        now, at = self._store.now(), self._clock()
        self._forget_after_gap(rows, at)
        seen = {row.session: self._newest(row, at) for row in rows}
        self._seen = seen
        dead = [row for row in rows if _is_overdue(row, now) and at - seen[row.session].since >= row.lease / MICROS]
        for row in dead[:MOST]:
            self._end(row, at - seen[row.session].since)
        return [row.session for row in dead[:MOST]]

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
        proof = f"{SILENCE}{self._me} watched beat {row.beats} for {silent:.1f} s, lease {row.lease / MICROS:g} s"
        logger.warning("session %s (pid %d on %s) is dead: %s", row.session, row.pid, row.host, proof)
        self._store.end_session(row.session, proof=proof)


def _is_overdue(row: SessionRow, now: int) -> bool:
    return now - row.beat_at > row.lease
