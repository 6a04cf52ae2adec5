"""The bad line between two processes is bad exactly as it is told to be."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from databases import drop_postgres, fresh_postgres
from nexum.testing.proxy import Proxy
from waiting import until


class _Echo(socketserver.BaseRequestHandler):
    """Answers each piece with itself, and remembers that it came."""

    server: _Server

    def handle(self) -> None:
        while piece := self.request.recv(65_536):
            self.server.heard.append(piece)
            self.request.sendall(piece)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.heard: list[bytes] = []


@pytest.fixture
def echo() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def line(echo: _Server) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.server_address[1]) as proxy:
        yield proxy


def connected(line: Proxy, timeout: float = 5) -> closing[socket.socket]:
    return closing(socket.create_connection(("127.0.0.1", line.port), timeout=timeout))


def test_a_good_line_carries_everything_both_ways(line: Proxy) -> None:
    with connected(line) as client:
        for word in (b"one", b"two" * 10_000):
            client.sendall(word)
            said = b""
            while len(said) < len(word):
                said += client.recv(65_536)
            assert said == word
    until(lambda: line.counts.connections == 1)


def test_the_end_of_one_side_is_told_to_the_other(line: Proxy) -> None:
    with connected(line) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"last words"
        assert client.recv(100) == b""


def test_latency_delays_each_piece_both_ways(line: Proxy) -> None:
    line.faults.latency = 0.1
    with connected(line) as client:
        began = time.monotonic()
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert time.monotonic() - began >= 0.2


def test_bandwidth_is_bytes_per_second(line: Proxy) -> None:
    line.faults.bandwidth = 10_000
    with connected(line) as client:
        began = time.monotonic()
        client.sendall(b"x" * 1_000)
        assert client.recv(1_000, socket.MSG_WAITALL) == b"x" * 1_000
        assert time.monotonic() - began >= 0.2


def test_a_line_that_drops_everything_carries_nothing(line: Proxy, echo: _Server) -> None:
    line.faults.drop = 1.0
    with connected(line) as client:
        client.sendall(b"x")
        until(lambda: line.counts.dropped == 1)
    assert echo.heard == []


def test_a_black_hole_says_nothing_and_carries_on_when_it_heals(line: Proxy, echo: _Server) -> None:
    line.faults.silent = "both"
    with connected(line, timeout=0.2) as client:
        client.sendall(b"x")
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert echo.heard == []
        line.faults.silent = ""
        client.settimeout(5)
        assert client.recv(1) == b"x"


def test_a_one_way_line_lets_the_server_hear_and_the_client_wait(line: Proxy, echo: _Server) -> None:
    line.faults.silent = "down"
    with connected(line, timeout=0.2) as client:
        client.sendall(b"x")
        until(lambda: echo.heard == [b"x"])
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_reset_ends_what_is_open_and_lets_new_ones_in(line: Proxy) -> None:
    with connected(line) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        line.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert line.counts.resets == 1
    with connected(line) as client:
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_nobody_behind_the_line_is_a_reset() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        port = once.getsockname()[1]
    with Proxy("127.0.0.1", port) as line, pytest.raises(ConnectionResetError), connected(line) as client:
        client.recv(1)


def test_a_commit_that_is_cut_stands_and_its_client_hears_nothing(pg_server_url: str, worker_name: str) -> None:
    url = fresh_postgres(pg_server_url, worker_name)
    port = int(url.rpartition(":")[2].partition("/")[0])
    try:
        with Proxy("127.0.0.1", port) as line:
            connection = psycopg2.connect(line.url(url))
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
                line.faults.cut = lambda piece: b"COMMIT" in piece
                with pytest.raises(psycopg2.OperationalError):
                    connection.commit()
            connection.close()
            assert line.counts.cuts == 1
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n FROM kept")
            assert cursor.fetchall() == [(1,)]
    finally:
        drop_postgres(url, pg_server_url)
