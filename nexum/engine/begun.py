"""Which claims this process knows: what its session holds beyond them came by an answer that never arrived."""

from __future__ import annotations

from collections.abc import Iterable

from nexum.store.api import Claimed, TaskKey

Name = tuple[TaskKey, int]


class Begun:
    """Tasks by name and token."""

    def __init__(self) -> None:
        self._running: set[Name] = set()
        self._told: set[Name] = (
            set()
        )  # its outcome is recorded, and waits for whoever holds the run: the task is still there

    def begin(self, task: TaskKey, token: int) -> None:
        """It is handed out now."""
        self._running.add((task, token))

    def end(self, task: TaskKey, token: int, *, folded: bool = True) -> bool:
        """It was recorded or given back; False when that was said before.

        When it was not `folded` into the run yet, its task may stand for a while.
        """
        first = (task, token) in self._running
        self._running.discard((task, token))
        if not folded:
            self._told.add((task, token))
        return first

    def unknown(self, held: Iterable[Claimed]) -> list[Claimed]:
        """Those of the tasks that the session holds which were never handed out here."""
        names = {(claimed.key, claimed.token): claimed for claimed in held}
        self._told &= names.keys()
        return [claimed for name, claimed in names.items() if name not in self._running and name not in self._told]
