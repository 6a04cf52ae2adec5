"""What both fakes stand on: a threading HTTP server that speaks JSON, and a command line that says its port."""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a fake sees it; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. The body is sent as it is when it is bytes, as JSON otherwise; status 0 resets without an answer.

    `cut` stops after so many bytes and resets the connection; `pause` waits that many seconds before the first byte, and
    `trickle` that many between pieces of `piece` bytes.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = -1
    pause: float = 0.0
    trickle: float = 0.0
    piece: int = 16

    @property
    def data(self) -> bytes:
        """The body's bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


Answering = Callable[[Asked], Reply]


class Server(ThreadingHTTPServer):
    """Serves `answer` on loopback; `stopping` wakes every reply that is waiting."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Answering) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self.stopping = threading.Event()

    def shutdown_request(self, request: Any) -> None:
        """Close without the polite half-close first, so that a reset is a reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away: killing clients is what the fakes are for."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name http.server passes)
        """Keep quiet; what was asked can be read back from the fake."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(length)
        if len(data) < length:  # the client died while it was speaking: half a request is no request
            self.close_connection = True
            return
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            body = json.loads(data) if data else None
        except ValueError:
            self._send(Reply({"error": "the body is not JSON"}, status=400))
            return
        self._send(self.server.answer(Asked(self.command, address.path, dict(parse_qsl(address.query)), headers, body)))

    def _send(self, reply: Reply) -> None:
        data = reply.data
        self.server.stopping.wait(reply.pause)
        if not reply.status:
            self._reset()
            return
        self.send_response(reply.status)
        for key, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if reply.cut >= 0:
            self.wfile.write(data[: reply.cut])
            self._reset()
        elif reply.trickle:
            for at in range(0, len(data), reply.piece):
                self.wfile.write(data[at : at + reply.piece])
                if self.server.stopping.wait(reply.trickle):
                    return
        else:
            self.wfile.write(data)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.close_connection = True


def serve(parser: argparse.ArgumentParser, make: Callable[[argparse.Namespace], Answering]) -> None:
    """Parse the command line, listen, print the port as a line of JSON, serve until told to end."""
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end together with whoever started it")
    arguments = parser.parse_args()
    server = Server(arguments.port, make(arguments))
    if arguments.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    sys.stdout.write(json.dumps({"port": server.server_port}) + "\n")
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        pass
    finally:
        server.stopping.set()
        server.server_close()


def _end_with_stdin(server: Server) -> None:
    sys.stdin.buffer.read()
    server.stopping.set()
    server.shutdown()
