"""A line between two processes that can be made bad: slow, lossy, silent, one-way, cut, or cut just after a commit.

A `Proxy` listens on a port of its own and forwards to a server, in a thread of its own. Its `faults` may be changed at any
time and hold for connections that are open as well as for new ones:

    with Proxy("127.0.0.1", 5432) as line:
        line.faults.latency = 0.2                       # seconds before each piece, both ways
        line.faults.cut = lambda piece: b"COMMIT" in piece
        line.reset()                                    # every connection that is open now, at once

`cut` is the fault that matters most for a database: the piece is forwarded, the server does what it says and answers, and
the connection is reset instead of handing the answer on. The client cannot know whether its commit stands.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

PIECE = 65_536
LOOK_SECONDS = 0.01  # how often a silent line looks whether it may speak again
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


@dataclass(slots=True)
class Faults:
    """What is wrong with the line.

    `latency` is in seconds for each piece; `drop` is the share of pieces that vanish (what follows them still arrives, which
    TCP never does by itself: the stream is then broken for good); `bandwidth` is in bytes per second, 0 for no limit.
    `silent` is "up" (from client to server), "down", "both" or "": nothing goes that way and nobody is told. `cut` is asked
    about each piece from a client; where it says yes, the connection is reset as soon as the server answers.
    """

    latency: float = 0.0
    drop: float = 0.0
    bandwidth: float = 0.0
    silent: str = ""
    cut: Callable[[bytes], bool] | None = None

    async def heard(self, way: str) -> None:
        """Wait until something goes this way."""
        while self.silent in (way, "both"):  # noqa: ASYNC110 (whoever changes it is in another thread)
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(slots=True)
class Counts:
    """What has happened on the line: connections, cuts after an answer, resets, pieces dropped."""

    connections: int = 0
    cuts: int = 0
    resets: int = 0
    dropped: int = 0


@dataclass(eq=False, slots=True)
class _Line:
    """One connection and the two ends of it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_doomed: bool = False

    def reset(self) -> None:
        """End both sides at once, without a goodbye."""
        for writer in (self.client, self.server):
            _abort(writer)


@dataclass(slots=True)
class Proxy:
    """Forwards a port of this machine to a server. Used as a context manager; `port` 0 takes a free one."""

    host: str
    to: int
    port: int = 0
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    counts: Counts = field(default_factory=Counts)
    _lines: set[_Line] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _over: asyncio.Event | None = None

    def __enter__(self) -> Proxy:
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), name="proxy", daemon=True)
        self._thread.start()
        listening.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._loop is not None
        assert self._over is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def url(self, url: str) -> str:
        """The same address, through this line."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    def reset(self) -> None:
        """Reset every connection that is open now."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._reset_all)

    async def _serve(self, listening: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await self._over.wait()
        server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for line in self._lines:
            line.reset()
            self.counts.resets += 1

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self.host, self.to)
        except OSError:
            _abort(writer)
            return
        line = _Line(writer, back)
        self._lines.add(line)
        self.counts.connections += 1
        dice = random.Random(f"{self.seed}|{self.counts.connections}")  # noqa: S311 (reproducible, not secret)
        try:
            await asyncio.gather(
                self._pump(line, reader, back, "up", dice), self._pump(line, there, writer, "down", dice)
            )
        except OSError:
            line.reset()
        finally:
            self._lines.discard(line)
            for end in (writer, back):
                end.close()

    async def _pump(
        self,
        line: _Line,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        way: str,
        dice: random.Random,
    ) -> None:
        """Forward one way until it ends; an end is handed on as an end, unless the line is silent."""
        faults = self.faults
        while piece := await source.read(PIECE):
            if way == "up" and faults.cut is not None and faults.cut(piece):
                line.is_doomed = True
            if way == "down" and line.is_doomed:
                self.counts.cuts += 1
                line.reset()
                return
            if faults.latency:
                await asyncio.sleep(faults.latency)
            if faults.bandwidth:
                await asyncio.sleep(len(piece) / faults.bandwidth)
            await faults.heard(way)
            if faults.drop and dice.random() < faults.drop:
                self.counts.dropped += 1
                continue
            target.write(piece)
            await target.drain()
        await faults.heard(way)
        if target.can_write_eof() and not target.is_closing():
            with suppress(OSError):
                target.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    with suppress(OSError):
        sock: socket.socket | None = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    writer.transport.abort()
