"""The doorbell of one machine: datagrams, answered by who is idle.

Each worker binds one socket, before it forks, in a directory that follows from the database's address. Its children wait on
it together, so that a ring goes to exactly one process, and only to one that has nothing to do; while all of them are busy
it stays in the socket for the first that is not. Whoever is about to look because of a ring says so to who rang: where a
broker is there too, a ring that was answered needs no message.

A datagram to a full socket is lost on purpose: so many unread rings mean that nobody is idle. The socket of a dead worker
refuses, and is swept away by the first ring that notices.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from uuid import uuid4

from nexum.core.ids import TaskKey

_BELL = ".bell"
_ECHO = ".echo"
_MAX = 512  # bytes of a datagram


class Ring(NamedTuple):
    """A ring as it is heard: when it was rung (nanoseconds, monotonic), the number and the place it is answered by."""

    at: int
    number: int
    echo: str
    queue: str

    @classmethod
    def read(cls, data: bytes) -> Ring | None:
        """The ring of a datagram; None when it is none of ours."""
        try:
            at, number, echo, queue = data.decode().split(" ")
            return cls(int(at), int(number), echo, queue)
        except ValueError:
            return None

    @property
    def data(self) -> bytes:
        """Its datagram."""
        return f"{self.at} {self.number} {self.echo} {self.queue}".encode()


def bell_directory(database_url: str) -> Path:
    """Where the sockets of a database's workers live; the same for every process of this user.

    Not next to the database file: a socket's path may have at most 107 bytes.
    """
    digest = hashlib.sha256(database_url.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"nexum-{os.getuid()}-{digest}"


class LocalDoorbell:
    """Rings by datagram; `directory` as `bell_directory` gives it. Safe between threads, usable again after a fork."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self._opening = threading.Lock()
        self._socket: socket.socket | None = None
        self._echo = ""
        self._pid = 0

    def ring(self, queue: str, key: TaskKey) -> None:
        """Tell the workers of this machine."""
        self._tell(queue, 0)

    def call(self, queue: str) -> int:
        """Ring; gives the number that `answers` reports when somebody has heard it, 0 when nobody listens here."""
        number = next(self._numbers)
        return number if self._tell(queue, number) and self._echo else 0

    def answers(self, seconds: float) -> list[int]:
        """Numbers of rings that were answered; waits at most `seconds` for the first."""
        if self._socket is None or self._pid != os.getpid():
            return []
        found: list[int] = []
        with contextlib.suppress(OSError, ValueError):
            select.select([self._socket], [], [], seconds)
            while True:
                found.append(int(self._socket.recv(_MAX)))
        return found

    def close(self) -> None:
        """Close the sending socket."""
        if self._socket is not None and self._pid == os.getpid():
            self._socket.close()
            if self._echo:
                (self._directory / self._echo).unlink(missing_ok=True)
        self._socket = None

    def _tell(self, queue: str, number: int) -> bool:
        """Ring at every worker; an answer is wanted when the number is not 0. False when nobody was there."""
        try:
            names = [name for name in os.listdir(self._directory) if name.endswith(_BELL)]
        except OSError:
            return False  # nobody has ever listened
        if not names:
            return False
        mouth = self._opened(bool(number))
        data = Ring(time.monotonic_ns(), number, self._echo if number else "", queue).data
        return sum(_send(mouth, data, self._directory / name) for name in names) > 0  # `any` would stop at the first

    def _opened(self, with_echo: bool) -> socket.socket:
        with self._opening:
            if self._socket is None or self._pid != os.getpid():
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
                self._pid = os.getpid()
                self._echo = self._bound(self._socket) if with_echo else ""
            return self._socket

    def _bound(self, mouth: socket.socket) -> str:
        """Where answers arrive; "" when the directory does not take a socket, and then there are none."""
        _sweep(self._directory)
        name = f"{os.getpid()}-{uuid4().hex[:6]}{_ECHO}"
        try:
            mouth.bind(str(self._directory / name))
        except OSError:
            return ""
        return name


class Ear:
    """The listening socket of a worker: made before it forks, shared by its children. `queues` are worth waking for."""

    def __init__(self, directory: Path, queues: Iterable[str]) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._queues = frozenset(queues)
        self._path = directory / f"{os.getpid()}-{uuid4().hex[:6]}{_BELL}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._owner = os.getpid()
        self._pid = 0
        self._nudges: tuple[socket.socket, socket.socket] | None = None

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def wait(self, seconds: float, *, since: int = 0) -> Ring | None:
        """Wait for a ring of one of our queues, at most `seconds`; None also when `wake` was called.

        Rings from before `since` (nanoseconds, monotonic) are left out: a look that began then has answered them.
        """
        until = time.monotonic() + seconds
        nudged = self._own()[0]
        while True:
            try:
                readable, _, _ = select.select([self._socket, nudged], [], [], max(0.0, until - time.monotonic()))
                if nudged in readable:
                    nudged.recv(_MAX)
                    return None
                if not readable:
                    return None
                ring = Ring.read(self._socket.recv(_MAX))
            except BlockingIOError:
                continue  # another child was faster
            except (OSError, ValueError):
                return None  # closed while waiting
            if ring is not None and ring.queue in self._queues and ring.at >= since:
                return ring

    def answer(self, ring: Ring) -> None:
        """Tell who rang that somebody looks."""
        if ring.echo and "/" not in ring.echo:
            _send(self._socket, b"%d" % ring.number, self._directory / ring.echo)

    def pass_on(self, ring: Ring) -> None:
        """Ring again, for another child: this one has become busy."""
        _send(self._socket, ring.data, self._path)

    def ring(self, queue: str) -> None:
        """Ring for the other children of this worker: this one has heard of work and is busy."""
        self.pass_on(Ring(time.monotonic_ns(), 0, "", queue))

    def wake(self) -> None:
        """End the waiting of this process: for a thread that has something for the one that waits."""
        with contextlib.suppress(OSError):
            self._own()[1].send(b"!")

    def close(self) -> None:
        """Stop listening; who made the socket removes it."""
        self._socket.close()
        if self._owner == os.getpid():
            self._path.unlink(missing_ok=True)
        if self._nudges is not None and self._pid == os.getpid():
            for end in self._nudges:
                end.close()

    def _own(self) -> tuple[socket.socket, socket.socket]:
        """A line of this process to itself; the one of the process that forked us is not ours."""
        if self._nudges is None or self._pid != os.getpid():
            self._nudges = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for end in self._nudges:
                end.setblocking(False)
            self._pid = os.getpid()
        return self._nudges


def _send(mouth: socket.socket, data: bytes, path: Path) -> bool:
    try:
        mouth.sendto(data, str(path))
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)  # its process is dead
        return False
    except OSError:
        return False  # full, or just gone
    return True


def _sweep(directory: Path) -> None:
    """Remove what processes that were killed have left; rings sweep the bells, nobody rings an echo."""
    for name in os.listdir(directory):
        pid = name.partition("-")[0]
        if not name.endswith(_ECHO) or not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            (directory / name).unlink(missing_ok=True)
        except OSError:
            continue  # alive, and somebody else's
