"""A child process of `nexum dev`: in a session of its own, and never without us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

PATIENCE = 3.0  # seconds after each order to stop
_ORDERS = (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)  # finish; give up what is under way; enough


class Offspring:
    """One child. `words` are `web PORT`, `bench VERSION...` or a command of ours; `heard` lets it speak to us.

    Its standard input is our lifeline to it.
    """

    def __init__(self, name: str, words: Sequence[str], env: Mapping[str, str], *, heard: bool = False) -> None:
        self.name = name
        self.words = tuple(words)
        self.started_at = time.monotonic()
        argv = [sys.executable, "-m", "nexum.cli.dev.child", str(os.getpid()), *words]
        self._process = subprocess.Popen(  # noqa: S603 (our own module, our own words)
            argv,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if heard else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which stops its children in order
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code (negative: the signal that killed it); None while it runs."""
        return self._process.poll()

    def hear(self, beginning: str, seconds: float) -> str:
        """One line that begins so; what it says instead is heard to its end. At most so long."""
        assert self._process.stdout is not None
        said, until = b"", time.monotonic() + seconds
        pipe = self._process.stdout.fileno()
        while (left := until - time.monotonic()) > 0 and not (
            said.startswith(beginning.encode()) and said.endswith(b"\n")
        ):
            if select.select([pipe], [], [], left)[0]:
                part = os.read(pipe, 65_536)
                if not part:
                    break
                said += part
        return said.decode("utf-8", "replace")

    def order_to_stop(self) -> None:
        """SIGTERM, if it still runs."""
        if self.ended is None:
            self._process.send_signal(signal.SIGTERM)

    def bury(self) -> None:
        """Let go of the pipes of a child that has ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def stop(children: Sequence[Offspring]) -> None:
    """End children: let them finish, then not, then by force. Returns when all are gone."""
    for order in _ORDERS:
        for child in children:
            if child.ended is None:
                os.kill(child.pid, order)
        until = time.monotonic() + PATIENCE
        while any(child.ended is None for child in children) and time.monotonic() < until:
            time.sleep(0.02)
    for child in children:
        child.bury()
