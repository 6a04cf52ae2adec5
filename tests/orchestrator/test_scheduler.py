"""The scheduler beside real workers: what it picks up, and that it may die itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres, fresh_sqlite
from fleet import Fleet
from nexum.broker.doorbell import NullDoorbell
from nexum.errors import UnavailableError
from nexum.settings import Settings
from nexum_orchestrator.scheduler import Scheduler, run_scheduler
from waiting import until

SOON = 30


@pytest.fixture(params=["sqlite", "postgres"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[Fleet]:
    """Workers and schedulers as processes, on both databases."""
    server = "" if request.param == "sqlite" else request.getfixturevalue("pg_server_url")
    url = fresh_postgres(server, worker_name) if server else fresh_sqlite(tmp_path)
    made = Fleet(url, tmp_path)
    yield made
    made.close()
    if server:
        drop_postgres(url, server)


def test_the_work_of_a_worker_that_was_killed_whole_goes_on_elsewhere_after_its_lease(fleet: Fleet) -> None:
    fleet.scheduler()
    first = fleet.worker(processes=1)
    run = fleet.start("Hazards", "h", how="hold", seconds=1)
    until(lambda: fleet.acts("hazard"), SOON)
    first.kill()
    fleet.worker(processes=1)
    until(lambda: fleet.status(run) == "COMPLETED", SOON)
    assert len(fleet.acts("hazard")) == 2
    assert "is dead" in fleet.output(0)


def test_an_effect_of_a_worker_that_was_killed_whole_is_in_doubt_and_not_repeated(fleet: Fleet) -> None:
    fleet.scheduler()
    first = fleet.worker(processes=1)
    run = fleet.start("Held", "w", seconds=25)
    until(lambda: fleet.acts("wire"), SOON)
    first.kill()
    fleet.worker(processes=1)
    until(lambda: "EffectInDoubt" in fleet.events(run), SOON)
    assert len(fleet.acts("wire")) == 1


def test_a_scheduler_may_be_killed_and_another_goes_on(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    doomed = fleet.scheduler()
    run = fleet.start("Stuck", "n")
    until(lambda: fleet.acts("never"), SOON)
    doomed.kill()
    fleet.scheduler()
    until(lambda: fleet.status(run) == "COMPLETED", SOON)


def test_sigterm_ends_a_scheduler_and_its_session(fleet: Fleet) -> None:
    process = fleet.scheduler()
    until(lambda: any(row.kind == "scheduler" for row in fleet.store.sessions()), SOON)
    until(lambda: "sweeps every" in fleet.output(), SOON)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not [row for row in fleet.store.sessions() if row.kind == "scheduler"]


def test_once_sweeps_once(fleet: Fleet) -> None:
    settings = Settings(database=fleet.url, broker="none")
    assert run_scheduler(settings, once=True) == 0
    assert fleet.store.sessions() == []


def test_a_database_that_goes_away_is_waited_for(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scheduler = Scheduler(fleet.store, NullDoorbell(), lease=3, pause=0.02)
    scheduler.open()
    real, down = fleet.store.sessions, threading.Event()

    def sessions() -> object:
        if down.is_set():
            raise UnavailableError("the server closed the connection")
        return real()

    fleet.store.sessions = sessions  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    down.set()
    until(lambda: "waiting for the database" in caplog.text)
    down.clear()
    until(lambda: "answers again" in caplog.text)
    scheduler.stop()
    thread.join(10)
    scheduler.close()
    assert not thread.is_alive()


def test_a_scheduler_that_was_taken_for_dead_begins_a_new_life(fleet: Fleet) -> None:
    scheduler = Scheduler(fleet.store, NullDoorbell(), lease=3, pause=0.02)
    scheduler.open()
    before = scheduler.session
    fleet.store.end_session(before, proof="another scheduler was wrong")
    scheduler.look()
    assert scheduler.session != before
    assert [row.session for row in fleet.store.sessions()] == [scheduler.session]
    scheduler.close()
