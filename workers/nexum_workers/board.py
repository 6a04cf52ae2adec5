"""What a parent and its children tell each other without a database: a phase on a shared page, births through a pipe."""

from __future__ import annotations

import mmap
import os
import select
from enum import IntEnum
from typing import NamedTuple


class Phase(IntEnum):
    """What the children shall do: take work; finish what they have; stop at once."""

    RUN = 0
    DRAIN = 1
    NOW = 2


class Report(NamedTuple):
    """What a child said about its session."""

    pid: int
    session: str
    is_open: bool


class Board:
    """Made by the parent before it forks; the children inherit it."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)  # anonymous and shared
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    @property
    def phase(self) -> Phase:
        """What the children shall do now."""
        return Phase(self._page[0])

    def raise_to(self, phase: Phase) -> None:
        """Go on to a later phase; an earlier one is ignored. Safe in a signal handler."""
        self._page[0] = max(self._page[0], phase)

    def report(self, session: str, *, is_open: bool) -> None:
        """In a child: say which session this process is going to open, and then that it is open. One line each."""
        os.write(self._write, f"{os.getpid()} {session} {int(is_open)}\n".encode())

    def reports(self) -> list[Report]:
        """In the parent: what was reported since the last call."""
        text = b""
        while select.select([self._read], [], [], 0)[0]:
            text += os.read(self._read, 65_536)
        lines = (line.split(" ") for line in text.decode().splitlines())
        return [Report(int(pid), session, is_open == "1") for pid, session, is_open in lines]
