"""Who else wants a run between a transaction node's last word and its commit, on PostgreSQL: nobody gets in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections

from bookdesk import BOOKS, PAIR, Desk, opened
from databases import drop_postgres, fresh_postgres
from engine_driver import Driver
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested
from nexum.core.run.state import Phase
from nexum.engine.work import Committed, Succeeded, TakenBack, Work
from nexum.store.api import Mail, Store
from nexum.store.connect import open_store
from nexum_workers.early import Early
from waiting import until


@pytest.fixture
def desk(pg_server_url: str, worker_name: str, tmp_path: Path) -> Iterator[Desk]:
    url = fresh_postgres(pg_server_url, worker_name)
    with opened(url, tmp_path) as made:
        yield made
    drop_postgres(url, pg_server_url)


class Meanwhile(Early):
    """Does something after the engine's last word, while the commit is still to come."""

    def __init__(self, desk: Desk, work: Work, act: Callable[[], object]) -> None:
        super().__init__(desk.driver.engine, work, inline_max=1_000)
        self._act = act

    def complete(self, store: Store, outcome: Succeeded) -> Committed | TakenBack:
        ended = super().complete(store, outcome)
        self._act()
        return ended


def finished(desk: Desk, work: Work, act: Callable[[], object]) -> None:
    outcome = desk.attempts.execute(work, lambda _: None, Meanwhile(desk, work, act))
    desk.driver.engine.finish(work, outcome)


def test_a_cancel_in_between_waits_and_comes_after_the_completion(desk: Desk) -> None:
    run, work = desk.begin()
    other = Driver(open_store(desk.url), session="s3")

    def cancel() -> None:
        body = encode_mail(CancelRequested("changed my mind"))
        other.store.post(Mail(run, "cancel", "CancelRequested", body, priority=-1))
        other.engine.drain(run)  # finds the row held, and leaves the mail to its holder

    finished(desk, work, cancel)

    types = desk.driver.types(run)
    assert desk.rows() == 1
    assert types.index("NodeCompleted") < types.index("RunClosing")
    assert desk.driver.state(run).phase is Phase.CANCELLED
    other.store.close()


def test_a_task_cannot_be_given_to_others_in_between(desk: Desk) -> None:
    _, work = desk.begin()
    desk.driver.store.end_session("s1", proof="silence: for long")
    answers: list[bool] = []
    store = open_store(desk.url)
    thread = threading.Thread(target=lambda: answers.append(store.requeue(work.task, work.token)))

    finished(desk, work, thread.start)
    thread.join(10)

    assert answers == [False]
    assert desk.rows() == 1
    store.close()


def test_two_transaction_nodes_of_one_run_wait_for_each_other_and_both_stand(desk: Desk) -> None:
    run, first = desk.begin(PAIR)
    other = Desk(desk.url, "s2")
    (second,) = other.driver.claim(PAIR.graph)
    done = threading.Event()

    def beside() -> None:
        other.go_on(second)
        connections["ledger"].close()
        done.set()

    thread = threading.Thread(target=beside)

    def start_and_see_it_wait() -> None:
        thread.start()
        until(lambda: waiting(desk) == 1)

    finished(desk, first, start_and_see_it_wait)
    thread.join(10)

    assert done.is_set()
    assert desk.rows() == 2
    assert desk.driver.types(run).count("NodeCompleted") == 2
    assert desk.driver.state(run).phase is Phase.COMPLETED
    other.driver.store.close()


def waiting(desk: Desk) -> int:
    """How many connections wait for a lock."""
    with desk.driver.store.database.once() as tx:  # type: ignore[attr-defined]
        said = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return int(tx.execute(said).fetchone()[0])


def test_the_run_goes_on_from_what_the_commit_left(desk: Desk) -> None:
    run, work = desk.begin()
    finished(desk, work, lambda: None)
    other = Driver(open_store(desk.url), session="s2")

    assert [held.key.path for held in desk.driver.store.adopt("s1")] == ["tell"]
    assert other.claim(BOOKS.graph) == []
    assert other.state(run).phase is Phase.RUNNING
    other.store.close()
