"""Forking safely, and not outliving one's parent.

A parent keeps a thread that talks to the database. A fork in the middle of such a call would copy a held lock of the
driver into the child, where nobody releases it; so that thread holds `GATE` while it talks, and every fork waits for the
gate. What the parent has open is never used in a child; `keep_alive` keeps it from being closed there either, because
closing it would say goodbye on a socket that the parent still uses.

Python 3.12 and later warn of any fork beside a thread. They cannot know of the gate, so the warning stays, and stays hidden
unless deprecations are asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

GATE = threading.RLock()

_PR_SET_PDEATHSIG = 1
_kept: list[object] = []


def _reopen() -> None:
    GATE._at_fork_reinit()  # type: ignore[attr-defined]  # the child has one thread, and it holds nothing


os.register_at_fork(before=GATE.acquire, after_in_parent=GATE.release, after_in_child=_reopen)


def keep_alive(thing: object) -> None:
    """Never let this object be collected in this process or in a child of it."""
    _kept.append(thing)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies (Linux); exits at once when that has happened already."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(69)


class Lifeline:
    """A pipe whose writing end only the parent holds: when reading ends, the parent is dead. Works on every Unix."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def hold_on(self, act: Callable[[], None]) -> None:
        """In a child: call `act` in a thread when the parent is gone."""
        os.close(self._write)
        read = self._read

        def wait() -> None:
            with contextlib.suppress(OSError):
                os.read(read, 1)
            act()

        threading.Thread(target=wait, name="nexum-lifeline", daemon=True).start()

    def close(self) -> None:
        """In the parent: let go of both ends."""
        for end in (self._read, self._write):
            with contextlib.suppress(OSError):
                os.close(end)
