"""A worker is killed on either side of a transaction node's commit: the ORM's rows and the history agree, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres, fresh_sqlite
from ledgershop import LedgerShop
from nexum.broker.doorbell import NullDoorbell
from nexum.engine.sweep import Sweeper
from waiting import until

SOON = 40


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[LedgerShop]:
    server = request.getfixturevalue("pg_server_url") if request.param == "postgres" else ""
    made = LedgerShop(tmp_path, fresh_postgres(server, worker_name) if server else fresh_sqlite(tmp_path))
    yield made
    made.close()
    if server:
        drop_postgres(made.url, server)


@contextmanager
def sweeping(shop: LedgerShop) -> Iterator[None]:
    stop = threading.Event()
    sweeper = Sweeper(shop.store, NullDoorbell())

    def sweep() -> None:
        while not stop.wait(0.1):
            sweeper.run_once()

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(
    "point", ["handler.before_call:node=book", "transaction.before_commit", "transaction.after_commit"]
)
def test_rows_and_history_agree_whenever_the_worker_is_killed(shop: LedgerShop, tmp_path: Path, point: str) -> None:
    name, _, words = point.partition(":")
    marker = tmp_path / "marker"
    shop.worker(f"{name}:limit=1,file={marker}" + (f",{words}" if words else ""))
    with sweeping(shop):
        run = shop.start("o-1")
        until(lambda: shop.status(run) == "COMPLETED", SOON)

    until((tmp_path / "marker.1").exists, SOON)
    assert shop.entries() == 1
    paths = [event.path for event in shop.store.events_after(run, 0) if event.type == "NodeCompleted"]
    assert paths == ["look", "book", "count"]


def test_a_handler_that_outruns_its_time_is_taken_back_and_told_of_whatever_it_holds(shop: LedgerShop) -> None:
    shop.worker("")
    with sweeping(shop):
        run = shop.start("o-1", "Slow")
        until(lambda: shop.status(run) == "COMPLETED", SOON)

    assert shop.entries() == 1
    ends = [event.type for event in shop.store.events_after(run, 0) if event.attempt]
    assert ends == ["AttemptFailed", "RetryScheduled", "NodeCompleted"]
