"""The parent's care for its children's sessions: it beats them, and ends them with proof when a child is dead.

The child writes its session's row; the parent renews it, because a child whose handler holds the interpreter for a minute
is slow and not dead. A death is seen within a fifth of a second by asking the kernel, without reaping the child (Celery's
pool, or ours, does that), so the tasks of a killed child are given to others at once instead of after a lease.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from nexum.errors import NexumError
from nexum.store.api import Store
from nexum_workers.board import Board, Phase
from nexum_workers.forking import GATE, keep_alive
from nexum_workers.outage import Outage

logger = logging.getLogger("nexum.worker")

LOOK_SECONDS = 0.2
LOST = signal.SIGUSR2  # tells a child that the database holds its session for dead


class Tender:
    """A thread of the parent. `open_store` is called in it; `lease` is in seconds; `chores` are called at each look."""

    def __init__(
        self,
        board: Board,
        open_store: Callable[[], Store],
        *,
        lease: float,
        chores: tuple[Callable[[], None], ...] = (),
    ) -> None:
        self._board = board
        self._open_store = open_store
        self._every = lease / 3
        self._chores = chores
        self._store: Store | None = None
        self._sessions: dict[int, str] = {}
        self._ended: dict[str, str] = {}
        self._open: set[str] = set()
        self._outage = Outage("the parent cannot look after its children", logger)
        self._beat_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nexum-tender", daemon=True)

    @property
    def living(self) -> dict[int, str]:
        """The session of each child that is alive, by pid."""
        return dict(self._sessions)

    def start(self) -> None:
        """Start tending."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Look once more (all children should be dead by now), end their sessions, and stop; `timeout` in seconds."""
        self._stop.set()
        self._thread.join(timeout)

    def look(self) -> None:
        """One look: births, deaths, beats. Raises `NexumError` when the database does not answer."""
        for pid, session, is_open in self._board.reports():
            if self._sessions.get(pid, session) != session:  # the number was given to another child before we looked
                self._ended[self._sessions[pid]] = f"process number {pid} belongs to a younger child"
            self._sessions[pid] = session
            if is_open:
                self._open.add(session)
        for pid in list(self._sessions):
            if proof := death_of(pid):
                self._ended[self._sessions.pop(pid)] = proof
        if self._ended or (self._sessions and time.monotonic() - self._beat_at >= self._every):
            with GATE:
                self._tell()

    def _tell(self) -> None:
        if self._store is None:
            self._store = self._open_store()
            keep_alive(self._store)
        for session, proof in list(self._ended.items()):
            self._store.end_session(session, proof=proof)
            unexpected = self._board.phase is Phase.RUN
            logger.log(logging.WARNING if unexpected else logging.INFO, "session %s ended: %s", session, proof)
            del self._ended[session]
            self._open.discard(session)
        if self._sessions and time.monotonic() - self._beat_at >= self._every:
            alive = self._store.beat(tuple(self._sessions.values()))
            self._beat_at = time.monotonic()
            self._warn_lost(alive)

    def _warn_lost(self, alive: frozenset[str]) -> None:
        """Tell the children whose sessions were opened and are not live any more."""
        for pid, session in self._sessions.items():
            if session in self._open and session not in alive:
                logger.warning(
                    "[NX-W210] session %s of child %d was declared dead", session, pid, extra={"code": "NX-W210"}
                )
                os.kill(pid, LOST)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._round()
            self._stop.wait(LOOK_SECONDS)
        self._round()
        if self._store is not None:
            self._store.close()

    def _round(self) -> None:
        """Look, then the chores; none of them may keep the others from their turn."""
        self._try(self.look)
        for chore in self._chores:
            with GATE:
                self._try(chore)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 (whatever it is, the children need their parent)
            self._outage.failed(act, error, trace=not isinstance(error, NexumError))
        else:
            self._outage.answered(act)


def death_of(pid: int) -> str:
    """How a child of this process died, as a sentence; "" while it lives. Does not reap it."""
    me = os.getpid()
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return f"parent {me} has reaped child {pid}"
    if found is None:
        return ""
    if found.si_code == os.CLD_EXITED:
        return f"parent {me} saw child {pid} exit with {found.si_status}"
    return f"parent {me} saw child {pid} die of {signal.Signals(found.si_status).name}"
