"""The doorbell without a broker: one datagram to every worker process on this machine.

Each worker child binds a socket in one directory that follows from the database's address; who rings sends the queue's
name to every socket there. A datagram to a full buffer is lost on purpose: that child has been woken already. A socket of
a dead process refuses, and is swept away by the first ring that notices.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from nexum.core.ids import TaskKey

_SUFFIX = ".bell"


def bell_directory(database_url: str) -> Path:
    """Where the sockets of a database's workers live; the same for every process of this user.

    Not next to the database file: a socket's path may have at most 107 bytes.
    """
    digest = hashlib.sha256(database_url.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"nexum-{os.getuid()}-{digest}"


class LocalDoorbell:
    """Rings by datagram; `directory` as `bell_directory` gives it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket: socket.socket | None = None
        self._pid = 0

    def ring(self, queue: str, key: TaskKey) -> None:
        """Send the queue's name to every listening process of this machine."""
        try:
            names = os.listdir(self._directory)
        except OSError:
            return  # nobody has ever listened
        for name in names:
            if name.endswith(_SUFFIX):
                self._send(queue.encode(), self._directory / name)

    def close(self) -> None:
        """Close the sending socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: bytes, path: Path) -> None:
        if self._socket is None or self._pid != os.getpid():
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._pid = os.getpid()
        try:
            self._socket.sendto(text, str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)  # its process is dead
        except OSError:
            return  # full (it is awake already) or just gone


class Ear:
    """A worker child's listening socket. Use as a context manager; `queues` are the names worth waking for."""

    def __init__(self, directory: Path, queues: Iterable[str]) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._queues = frozenset(queue.encode() for queue in queues)
        self._path = directory / f"{os.getpid()}-{uuid4().hex[:6]}{_SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def wait(self, seconds: float) -> bool:
        """Wait until one of our queues is rung, at most `seconds`; True when it was."""
        try:
            readable, _, _ = select.select([self._socket], [], [], seconds)
        except (OSError, ValueError):
            return False  # closed while waiting
        return bool(readable) and self._drain()

    def wake(self) -> None:
        """Ring this ear itself: for a thread of this process that has something for the waiting one."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            own.sendto(b"", str(self._path))

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _drain(self) -> bool:
        """Read everything that has arrived, so that one look at the database answers many rings."""
        heard = False
        while True:
            try:
                name = self._socket.recv(512)
            except OSError:
                return heard
            heard = heard or not name or name in self._queues
