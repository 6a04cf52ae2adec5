"""PostgreSQL where functions may not be created: the same contract in plain statements, and the way back to functions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from databases import bare_postgres, drop_postgres
from nexum.cli.doctor import installation
from nexum.store import claiming, steps
from nexum.store.api import Claimed, NewTask, Record, Store, TaskKey
from nexum.store.connect import open_store
from nexum.store.postgres import PostgresStore
from nexum.store.schema import check_schema, upgrade
from nexum.store.statement import Transaction
from store_rows import advance, completed, effect, mail, name, outcome, record, start, task
from waiting import until


@pytest.fixture(params=["postgresql", "bare"])
def served(request: pytest.FixtureRequest) -> Iterator[PostgresStore]:
    """A store on PostgreSQL, with its functions and without."""
    opened = open_store(request.getfixturevalue("bare_url" if request.param == "bare" else "postgres_url"))
    assert isinstance(opened, PostgresStore)
    assert opened.has_functions == (request.param == "postgresql")
    yield opened
    opened.close()


@pytest.fixture
def bare(bare_url: str) -> Iterator[PostgresStore]:
    """A store without functions."""
    opened = open_store(bare_url)
    assert isinstance(opened, PostgresStore)
    yield opened
    opened.close()


@pytest.fixture
def own_bare(pg_server_url: str, worker_name: str) -> Iterator[str]:
    """A database without functions that the test may change."""
    url = bare_postgres(pg_server_url, worker_name)
    yield url
    drop_postgres(url, pg_server_url)


def address(store: PostgresStore) -> dict[str, Any]:
    """Where a store's database is, for a connection of the test's own."""
    given: dict[str, Any] = vars(store.database)["_arguments"]
    return {key: value for key, value in given.items() if key in ("host", "port", "dbname", "user")}


def meanwhile(store: PostgresStore, change: str, act: Callable[[], Any]) -> Any:
    """What `act` gives when it meets a row that another transaction has changed and commits only then."""
    found: list[Any] = []
    with closing(psycopg2.connect(**address(store))) as other, closing(psycopg2.connect(**address(store))) as watch:
        watch.autocommit = True
        with other.cursor() as cursor, watch.cursor() as looking:
            cursor.execute(change)
            thread = threading.Thread(target=lambda: found.append(act()))
            thread.start()
            until(lambda: waits(looking), 10)
            other.commit()
            thread.join(10)
    (answer,) = found
    return answer


def waits(cursor: Any) -> bool:
    """Whether somebody in this database waits for a lock."""
    cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    return cursor.fetchone() is not None


def claimed(store: Store, *, policy: str = "dedupes", business: str = "") -> tuple[NewTask, Claimed]:
    """A run whose effect is claimed by s1."""
    run = name()
    made = task(run, "a", effect=effect(name("key"), policy=policy, business_key=business))
    start(store, made)
    held = store.claim_one("s1", made.key)
    assert held is not None
    return made, held


def test_a_result_that_is_recorded_while_a_claim_is_judged_is_reused_and_never_overwritten(
    served: PostgresStore,
) -> None:
    made, _ = claimed(served)
    with served.database.once() as tx:
        tx.execute("UPDATE nexum_tasks SET state = 'READY', session = ''")  # its session died, and it was given back
    recorded = "UPDATE nexum_effects SET state = 'RECORDED', result = '7', result_hash = 'h'"

    taken = meanwhile(served, recorded, lambda: served.claim_one("s2", made.key))

    assert (taken.effect, taken.result) == ("reuse", b"7")
    with served.database.once() as tx:
        assert tx.execute("SELECT state FROM nexum_effects").fetchone() == ("RECORDED",)


def test_a_claim_gives_the_token_after_the_one_that_the_lock_found(served: PostgresStore) -> None:
    made = task(name(), "a")
    start(served, made)

    taken = meanwhile(served, "UPDATE nexum_tasks SET token = 5", lambda: served.claim_one("s2", made.key))

    assert taken.token == 6


def test_a_task_that_was_taken_while_a_claim_waited_for_it_is_not_claimed(served: PostgresStore) -> None:
    made = task(name(), "a")
    start(served, made)
    taken = "UPDATE nexum_tasks SET state = 'CLAIMED', session = 's1', token = 1"

    assert meanwhile(served, taken, lambda: served.claim_one("s2", made.key)) is None


def test_a_business_key_that_is_being_claimed_by_another_is_waited_for(served: PostgresStore) -> None:
    first, _ = claimed(served, business="order-1")
    second = task(name(), "a", effect=effect(name("key"), business_key="order-1"))
    start(served, second)
    with served.database.once() as tx:
        (columns,) = tx.execute(
            "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns"
            " WHERE table_name = 'nexum_effects'"
        ).fetchone()
        tx.execute("CREATE TABLE kept AS SELECT * FROM nexum_effects")
        tx.execute("DELETE FROM nexum_effects")
    try:
        again = f"INSERT INTO nexum_effects ({columns}) SELECT {columns} FROM kept"
        taken = meanwhile(served, again, lambda: served.claim_one("s2", second.key))
    finally:
        with served.database.once() as tx:
            tx.execute("DROP TABLE kept")

    assert taken.effect == "wait"
    with served.database.once() as tx:
        assert tx.execute("SELECT path, run_id FROM nexum_effects").fetchall() == [("a", first.key.run_id)]


def test_a_step_that_loses_the_row_while_it_waits_has_recorded(served: PostgresStore) -> None:
    made, held = claimed(served)
    head = served.head(made.key.run_id)
    assert head is not None
    fact = record(made.key, outcome(held.key.path and key_of(made), held.token))
    onward = advance(head, completed(made.key), {"path": "b"}, drop_tasks=(made.key,))
    moved_on = "UPDATE nexum_runs SET last_seq = last_seq + 1"

    answer = meanwhile(served, moved_on, lambda: served.step(fact, onward))

    assert (answer.cas, answer.recorded, answer.mail) == (False, True, True)
    with served.database.once() as tx:
        assert tx.execute("SELECT state FROM nexum_effects").fetchone() == ("RECORDED",)


def key_of(made: NewTask) -> str:
    """The key of a task's effect."""
    assert made.effect is not None
    return made.effect.key


def test_mail_that_found_the_row_busy_is_seen_once_the_step_has_let_go(
    bare: PostgresStore, bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, head, fact = chain(bare)
    plain = steps.step
    with closing(open_store(bare_url)) as other:

        def late(tx: Transaction, record: Record, onward: Any) -> Any:
            answer = plain(tx, record, onward)
            assert not answer.mail
            with other.drain(made.run_id, wait=False) as held:
                assert held is None  # the step has the row, so whoever brought the mail leaves it
            assert other.post(mail(made.run_id))
            return answer

        monkeypatch.setattr(steps, "step", late)
        answer = bare.step(fact, advance(head, completed(made), {"path": "b"}, drop_tasks=(made,)))

    assert answer.cas
    assert answer.mail


def chain(store: Store) -> tuple[TaskKey, Any, Record]:
    """A run with a claimed compute task, where it stands, and the record of its result."""
    made = task(name(), "a")
    head = start(store, made)
    assert store.claim_one("s1", made.key)
    return made.key, head, record(made.key)


def test_a_client_that_falls_silent_with_the_row_in_its_hands_loses_it(
    bare: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, head, fact = chain(bare)
    plain = steps.step
    limits: list[Any] = []

    def asked(tx: Transaction, *rest: Any) -> Any:
        limits.append(tx.execute("SHOW idle_in_transaction_session_timeout").fetchone())
        limits.append(tx.execute("SHOW lock_timeout").fetchone())
        return plain(tx, *rest)

    monkeypatch.setattr(steps, "step", asked)
    assert bare.step(fact, advance(head, completed(made), {"path": "b"}, drop_tasks=(made,))).cas

    assert limits == [("5s",), ("0",)]
    with bare.database.once() as tx:
        assert tx.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("0",)


def test_the_doctor_says_what_a_step_costs_without_functions(bare: PostgresStore) -> None:
    messages: list[str] = []
    execute = Transaction.execute

    def counted(tx: Transaction, sql: Any, values: Any = None) -> Any:
        messages.append(str(sql))
        return execute(tx, sql, values)

    made, held = claimed(bare)
    head = bare.head(made.key.run_id)
    assert head is not None
    fact = record(made.key, outcome(key_of(made), held.token))
    following = task(made.key.run_id, "b", effect=effect())
    onward = advance(head, completed(made.key), {"path": "b"}, drop_tasks=(made.key,), new_tasks=(following,), claim=0)
    other = task(name(), "c")
    start(bare, other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "execute", counted)
        assert bare.step(fact, onward).claimed
        step, messages = len(messages), []
        assert bare.claim_one("s1", other.key)
        claim = len(messages)

    finding = installation._functions(bare)
    assert (finding.level, finding.code) == ("warn", "NX-S115")
    assert f"about {step} round trips instead of 1, a claim {claim} or {claim + 1}" in finding.text


def test_functions_that_were_left_out_are_created_once_the_role_may(own_bare: str, pg_server_url: str) -> None:
    with closing(open_store(own_bare)) as store:
        check_schema(store)  # the migrations count as applied
    upgrade(own_bare)
    assert not has_functions(own_bare)

    database = urlsplit(own_bare).path
    with closing(psycopg2.connect(urlsplit(pg_server_url)._replace(path=database).geturl())) as admin:
        admin.autocommit = True
        admin.cursor().execute("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC")
    upgrade(own_bare)
    upgrade(own_bare)

    assert has_functions(own_bare)
    with closing(open_store(own_bare)) as store:
        made, head, fact = chain(store)
        assert store.step(fact, advance(head, completed(made), {"path": "b"}, drop_tasks=(made,))).cas


def has_functions(url: str) -> bool:
    """What a new process finds, and the doctor says."""
    with closing(open_store(url)) as store:
        assert isinstance(store, PostgresStore)
        assert (installation._functions(store).level == "ok") == store.has_functions
        return store.has_functions


def test_processes_with_functions_and_without_work_on_one_run(shared_postgres: str, postgres_url: str) -> None:
    with closing(open_store(postgres_url)) as new, closing(open_store(postgres_url)) as old:
        assert isinstance(old, PostgresStore)
        old._has_functions = False  # it looked before the functions were there
        key, head, fact = chain(old)
        for number, store in enumerate((new, old, new, old)):
            following = task(key.run_id, f"n{number}")
            onward = advance(
                head, completed(key), {"path": f"n{number}"}, drop_tasks=(key,), new_tasks=(following,), claim=0
            )
            assert store.step(fact, onward)[:3] == (True, True, True)
            found = store.head(key.run_id)
            assert found is not None
            key, head, fact = following.key, found, record(following.key)


def test_nothing_is_recorded_of_an_effect_between_its_judgement_and_its_claim(
    bare: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = claimed(bare)
    with bare.database.once() as tx:
        tx.execute("UPDATE nexum_tasks SET state = 'READY', session = ''")
    plain = claiming.judge

    def judged(*given: Any) -> str:
        with closing(psycopg2.connect(**address(bare))) as other, pytest.raises(psycopg2.errors.LockNotAvailable):
            other.cursor().execute("SET lock_timeout = '50ms'; UPDATE nexum_effects SET state = 'RECORDED'")
        return plain(*given)

    monkeypatch.setattr(claiming, "judge", judged)
    taken = bare.claim_one("s2", made.key)

    assert taken is not None
    assert (taken.effect, taken.token) == ("", 2)
