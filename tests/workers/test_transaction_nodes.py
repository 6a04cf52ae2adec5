"""What a transaction node writes and its completion are one commit, on both databases; nothing else may come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from sqlalchemy import text

from bookdesk import ACTS, BOOKS, OTHER, OWN, SHOP, Booking, Desk, Order, opened, write
from databases import drop_postgres, emptied, fresh_postgres, fresh_sqlite
from engine_driver import Driver
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested
from nexum.core.run.state import Phase
from nexum.engine.work import Committed, Outcome, Succeeded, TakenBack, Unanswered
from nexum.errors import ConfigurationError, Fail
from nexum.sdk.tx import Tx
from nexum.store.api import Mail, Store
from nexum.store.connect import open_store
from nexum_workers.early import Early
from nexum_workers.transacting import check_transactions


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(pg_server_url: str, worker_name: str) -> Iterator[str]:
    url = fresh_postgres(pg_server_url, worker_name)
    yield url
    drop_postgres(url, pg_server_url)


@pytest.fixture
def desk(kind: str, server: str, tmp_path: Path) -> Iterator[Desk]:
    with opened(fresh_sqlite(tmp_path) if kind == "sqlite" else emptied(server), tmp_path) as made:
        yield made


def test_the_writes_and_the_completion_are_one_commit_and_the_run_goes_on_in_this_process(desk: Desk) -> None:
    run, work = desk.begin()

    following = desk.go_on(work)

    assert desk.rows() == 1
    assert desk.ends(run) == [("NodeCompleted", "book")]
    assert desk.driver.output(run, "book") == b'{"number":"o-1","row":1}'
    assert following is not None
    assert following.node.id == "tell"
    assert following.inputs == (("book", b'{"number":"o-1","row":1}'),)


def test_nothing_is_seen_before_the_completion_stands_beside_it(desk: Desk, kind: str) -> None:
    run, work = desk.begin()
    seen: list[tuple[int, int]] = []

    class Watched(Early):
        def complete(self, store: Store, outcome: Succeeded) -> Committed | TakenBack:
            ended = super().complete(store, outcome)
            seen.append((desk.rows(), len(desk.ends(run))))
            return ended

    early = Watched(desk.driver.engine, work, inline_max=1_000)
    desk.driver.engine.finish(work, desk.attempts.execute(work, lambda _: None, early))

    assert seen == [(0, 0)]
    assert (desk.rows(), len(desk.ends(run))) == (1, 1)


@pytest.mark.parametrize("error", [ValueError("no room"), SystemExit(3)])
def test_what_a_handler_wrote_before_it_raised_is_gone_and_it_runs_again(desk: Desk, error: BaseException) -> None:
    def once(order: Order) -> Booking:
        ACTS.update(book=write)
        write(order)
        raise error

    ACTS.update(book=once)
    run, work = desk.begin()

    desk.go_on(work)
    assert desk.rows() == 0
    again = next(iter(desk.driver.state(run).open))

    assert desk.ends(run) == [("AttemptFailed", "book")]
    assert desk.driver.state(run).cells[again].attempt == 2


def test_an_output_that_does_not_fit_takes_the_writes_back(desk: Desk) -> None:
    ACTS.update(book=lambda order: (write(order), {"number": 3})[1])
    run, work = desk.begin()

    desk.go_on(work)

    assert desk.rows() == 0
    assert desk.driver.state(run).phase is Phase.FAILED


def taken_over(desk: Desk) -> Driver:
    """Another process has the task: the first one was held for dead."""
    desk.driver.store.end_session("s1", proof="silence: for long")
    desk.driver.sweep()
    other = Driver(open_store(desk.url), session="s2")
    assert len(other.claim(BOOKS.graph)) == 1
    other.store.close()
    return other


def test_a_worker_that_was_held_for_dead_writes_nothing_any_more(desk: Desk) -> None:
    run, work = desk.begin()
    taken_over(desk)

    outcome = desk.execute(work)
    desk.driver.engine.finish(work, outcome)

    assert outcome == TakenBack()
    assert desk.rows() == 0
    assert desk.ends(run) == []


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_lease_taken_over_while_the_handler_runs_takes_its_writes_back(desk: Desk) -> None:
    ACTS.update(book=lambda order: (write(order), taken_over(desk), Booking(number="o-1", row=1))[2])
    run, work = desk.begin()

    assert desk.execute(work) == TakenBack()

    assert desk.rows() == 0
    assert desk.ends(run) == []


def cancel(desk: Desk, run: str) -> None:
    body = encode_mail(CancelRequested("changed my mind"))
    desk.driver.store.post(Mail(run, "cancel", "CancelRequested", body, priority=-1))
    other = Driver(open_store(desk.url), session="s3")
    other.engine.drain(run)
    other.store.close()


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_run_cancelled_while_the_handler_runs_takes_its_writes_back(desk: Desk) -> None:
    run, work = desk.begin()
    ACTS.update(book=lambda order: (write(order), cancel(desk, run), Booking(number="o-1", row=1))[2])

    desk.go_on(work)

    assert desk.rows() == 0
    assert desk.driver.state(run).phase is Phase.CANCELLED


def test_a_cancel_that_comes_after_the_commit_finds_both(desk: Desk) -> None:
    run, work = desk.begin()
    outcome = desk.execute(work)
    cancel(desk, run)
    desk.driver.engine.finish(work, outcome)

    assert desk.rows() == 1
    assert desk.ends(run) == [("NodeCompleted", "book")]
    assert desk.driver.state(run).phase is Phase.CANCELLED


def code_of(outcome: Outcome) -> str:
    return getattr(outcome, "error").code  # noqa: B009 (whatever it is: only a failure has one)


def test_a_write_on_another_database_of_django_is_refused_and_reading_it_is_not(desk: Desk) -> None:
    def astray(order: Order) -> Booking:
        with connections[OTHER].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM bookings")
        with transaction.atomic(using=OTHER), connections[OTHER].cursor() as cursor:
            cursor.execute("SELECT 1")
        write(order)
        return write(order, OTHER)

    ACTS.update(book=astray)
    _, work = desk.begin()

    outcome = desk.execute(work)

    assert code_of(outcome) == "NX-R230"
    assert "elsewhere" in outcome.error.message  # type: ignore[union-attr]
    with connections[OTHER].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bookings")
        assert cursor.fetchone() == (0,)
    assert desk.rows() == 0


def durable(order: Order) -> Booking:
    with transaction.atomic(using=SHOP, durable=True):
        return write(order)


def raw_commit(order: Order) -> Booking:
    write(order)
    with connections[SHOP].cursor() as cursor:
        cursor.execute("COMMIT")
    return Booking(number="o-1", row=1)


@pytest.mark.parametrize("act", [durable, raw_commit])
def test_a_handler_that_would_commit_by_itself_is_told_that_it_cannot(desk: Desk, act: Any) -> None:
    ACTS.update(book=act)
    _, work = desk.begin()

    assert code_of(desk.execute(work)) == "NX-R231"
    assert desk.rows() == 0


def test_a_savepoint_inside_may_be_taken_back(desk: Desk) -> None:
    def half(order: Order) -> Booking:
        try:
            with transaction.atomic(using=SHOP):
                write(order)
                raise Fail("not this one")
        except Fail:
            return write(order)

    ACTS.update(book=half)
    run, work = desk.begin()
    desk.go_on(work)

    assert desk.rows() == 1
    assert desk.ends(run) == [("NodeCompleted", "book")]


@pytest.mark.parametrize("hook", [lambda: None, lambda: {}["gone"]], ids=["well", "broken"])
def test_hooks_run_once_after_the_commit_and_cannot_undo_it(desk: Desk, hook: Callable[[], Any]) -> None:
    called: list[int] = []

    def hooked(order: Order) -> Booking:
        transaction.on_commit(lambda: called.append(desk.rows()), using=SHOP)
        transaction.on_commit(hook, using=SHOP)
        return write(order)

    ACTS.update(book=hooked)
    run, work = desk.begin()
    following = desk.go_on(work)

    assert called == [1]
    assert following is not None
    assert desk.ends(run) == [("NodeCompleted", "book")]


@pytest.mark.parametrize("landed", [True, False], ids=["committed", "lost"])
def test_a_commit_that_is_not_answered_is_looked_up_before_anything_else(
    desk: Desk, landed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, work = desk.begin()
    wrapper = connections[SHOP]

    def commit() -> None:
        if landed:
            wrapper.connection.commit()
        wrapper.connection.close()
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(wrapper, "_commit", commit)
    outcome = desk.execute(work)
    monkeypatch.undo()
    wrapper.close()
    assert isinstance(outcome, Unanswered)
    desk.driver.engine.finish(work, outcome)

    assert desk.rows() == int(landed)
    assert desk.ends(run) == [("NodeCompleted" if landed else "AttemptFailed", "book")]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_constraint_that_speaks_at_the_commit_fails_the_attempt(desk: Desk) -> None:
    with connections[SHOP].cursor() as cursor:
        cursor.execute("ALTER TABLE bookings ADD CONSTRAINT one UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    ACTS.update(book=lambda order: (write(order), write(order))[1])
    run, work = desk.begin()
    desk.go_on(work)

    assert desk.rows() == 0
    assert desk.ends(run) == [("AttemptFailed", "book")]


def enter_with(order: Order, tx: Tx) -> Booking:
    tx.connection.execute(text("INSERT INTO bookings (number) VALUES (:number)"), {"number": order.number})
    return Booking(number=order.number, row=1)


def test_writes_through_a_tx_are_one_commit_with_the_completion(desk: Desk) -> None:
    ACTS.update(enter=enter_with)
    run, work = desk.begin(OWN)
    desk.go_on(work)

    assert desk.rows() == 1
    assert desk.ends(run) == [("NodeCompleted", "enter")]
    assert desk.driver.state(run).phase is Phase.COMPLETED


def failing(order: Order, tx: Tx) -> Booking:
    enter_with(order, tx)
    raise Fail("no")


def both(order: Order, tx: Tx) -> Booking:
    enter_with(order, tx)
    return write(order)


@pytest.mark.parametrize(("act", "code"), [(failing, "NX-R211"), (both, "NX-R230")])
def test_writes_through_a_tx_are_taken_back_with_the_attempt(desk: Desk, act: Any, code: str) -> None:
    ACTS.update(enter=act)
    _, work = desk.begin(OWN)

    assert code_of(desk.execute(work)) == code
    assert desk.rows() == 0


def test_a_worker_refuses_to_start_where_the_orm_does_not_reach_the_engines_tables() -> None:
    check_transactions([OWN], "")
    check_transactions([BOOKS], "default")

    with pytest.raises(ConfigurationError) as caught:
        check_transactions([OWN, BOOKS], "")
    assert caught.value.code == "NX-W205"
    assert "Books.book" in caught.value.message
