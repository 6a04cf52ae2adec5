"""Databases and brokers that go away under workers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest
from kombu import Connection

from databases import drop_postgres, fresh_postgres
from fleet import Fleet
from nexum.testing.services import free_port, redis_binary
from waiting import until

SOON = 40


class Redis:
    """A Redis of the test's own, to be killed and started again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(redis_binary()), "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with suppress(Exception), Connection(self.url) as connection:
            connection.connect()
            return True
        return False


@pytest.fixture
def redis() -> Iterator[Redis]:
    made = Redis()
    made.start()
    yield made
    made.kill()


def test_runs_go_on_while_the_broker_is_away_and_messages_are_heard_when_it_is_back(
    redis: Redis, pg_server_url: str, worker_name: str, tmp_path: Path
) -> None:
    url = fresh_postgres(pg_server_url, worker_name)
    fleet = Fleet(url, tmp_path, redis.url)
    try:
        fleet.worker()
        until(lambda: len(fleet.sessions()) == 2 and "ready" in fleet.output(), SOON)
        redis.kill()
        runs = [fleet.start("Chain", f"away{number}") for number in range(3)]
        until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
        assert len(fleet.sessions()) == 2  # nobody lost a lease
        redis.start()
        until(lambda: fleet.output().count("Connected to redis") == 2, SOON)
        back = fleet.start("Chain", "back")
        until(lambda: fleet.status(back) == "COMPLETED", SOON)
    finally:
        fleet.close()
        drop_postgres(url, pg_server_url)


@contextmanager
def _cutting(url: str, server: str) -> Iterator[list[int]]:
    """Ends all connections to a database again and again; gives how many so far."""
    stop, cut = threading.Event(), [0]

    def run() -> None:
        admin = psycopg2.connect(server)
        admin.autocommit = True
        while not stop.wait(0.15):
            with admin.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s",
                    (url.rsplit("/", 1)[1],),
                )
                cut[0] += cursor.fetchone()[0]
        admin.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield cut
    finally:
        stop.set()
        thread.join(10)


def test_connections_that_are_cut_again_and_again_lose_and_double_nothing(
    pg_server_url: str, worker_name: str, tmp_path: Path
) -> None:
    url = fresh_postgres(pg_server_url, worker_name)
    fleet = Fleet(url, tmp_path)
    try:
        runs = [fleet.start("Chain", f"c{number}", seconds=0.02) for number in range(60)]
        runs += [fleet.start("Sleepers", f"s{number}", seconds=0.3) for number in range(20)]
        with _cutting(url, pg_server_url) as cut:
            fleet.worker()
            until(lambda: len(fleet.acts("third")) >= 40 and cut[0] > 10, SOON)
        with fleet.sweeping():
            until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
        made = [line[1] for line in fleet.acts("third")]
        assert sorted(made) == sorted({f"c{number}" for number in range(60)})
        assert len(fleet.sessions("ENDED", "DEAD")) == 0  # cut connections are no deaths
    finally:
        fleet.close()
        drop_postgres(url, pg_server_url)
