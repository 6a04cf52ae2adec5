"""Connections that die, servers that give up, processes that fork: nothing is lost silently and nothing hangs."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import psycopg2
import pytest

from databases import fresh_sqlite
from nexum.errors import ConfigurationError, InternalError, UnavailableError
from nexum.store import failures, sqlite_database
from nexum.store.api import Store
from nexum.store.connect import open_store
from store_rows import advance, completed, effect, mail, moved, outcome, record, start, task


@pytest.fixture
def server(postgres_url: str) -> Iterator[Store]:
    """A store on PostgreSQL with the server's own clock."""
    opened = open_store(postgres_url)
    yield opened
    opened.close()


def kill_backends(url: str) -> None:
    """End every other connection to this database."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class Proxy:
    """A relay in front of PostgreSQL that once drops the connection instead of passing an answer on: to a marked statement."""

    def __init__(self, url: str, mark: bytes) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._mark = mark
        self._dropping = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(f":{parts.port}", f":{self._listener.getsockname()[1]}")
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who waits in accept
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            while data := self._read(client):
                if self._mark and self._mark in data:
                    self._mark, self._dropping = b"", True
                server.sendall(data)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        while data := self._read(server):
            if self._dropping:
                self._dropping = False
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(data)

    @staticmethod
    def _read(source: socket.socket) -> bytes:
        try:
            return source.recv(65536)
        except OSError:
            return b""


def test_a_step_whose_answer_was_lost_is_recorded_once(server: Store, postgres_url: str) -> None:
    first, following = task("run", "a", effect=effect("k")), task("run", "b")
    head = start(server, first)
    assert server.claim_one("s1", first.key)
    fact = record(first.key, outcome("k"))
    onward = advance(
        head, completed(first.key), {"path": "b"}, drop_tasks=(first.key,), new_tasks=(following,), claim=0
    )
    proxy = Proxy(postgres_url, b"nexum_step_chain_v1(")
    shaky = open_store(proxy.url)

    with pytest.raises(UnavailableError, match="NX-S102"):
        shaky.step(fact, onward)

    assert shaky.record(fact) == (True, True)
    assert [held.key for held in shaky.adopt("s1")] == [following.key]
    assert moved(server, head).seq == 3
    shaky.close()
    proxy.close()


def test_a_commit_whose_answer_was_lost_is_unknown_and_said_so(server: Store, postgres_url: str) -> None:
    head = start(server)
    proxy = Proxy(postgres_url, b"COMMIT\x00")
    shaky = open_store(proxy.url)

    with pytest.raises(UnavailableError, match="NX-S102"):
        shaky.post(mail(head.run_id, "signal"))

    assert not shaky.post(mail(head.run_id, "signal"))
    assert server.has_mail(head.run_id)
    shaky.close()
    proxy.close()


def test_a_dead_connection_is_reported_and_the_next_verb_has_a_new_one(server: Store, postgres_url: str) -> None:
    head = start(server)
    kill_backends(postgres_url)

    with pytest.raises(UnavailableError, match="NX-S102"):
        server.head(head.run_id)

    assert server.head(head.run_id) == head


def test_a_transaction_never_goes_on_over_another_connection(server: Store, postgres_url: str) -> None:
    head = start(server)
    server.post(mail(head.run_id))

    with pytest.raises(UnavailableError, match="NX-S102"), server.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        rows = run.inbox()
        kill_backends(postgres_url)
        with pytest.raises(UnavailableError):
            run.apply(advance(run.head, {"path": "a"}))
        run.take([row.id for row in rows])

    assert server.has_mail(head.run_id)
    assert server.head(head.run_id) == head


def test_a_busy_run_is_left_alone_or_waited_for_a_quarter_of_a_second(server: Store) -> None:
    head = start(server)

    with server.drain(head.run_id, wait=True) as holder:
        assert holder is not None
        with server.drain(head.run_id, wait=False) as other:
            assert other is None
        with pytest.raises(UnavailableError, match="NX-S104"), server.drain(head.run_id, wait=True):
            pass
        assert server.post(mail(head.run_id))
        holder.apply(advance(holder.head, {"path": "a"}))

    assert moved(server, head).seq == 2


def test_a_drain_sees_what_the_holder_before_it_has_committed(server: Store) -> None:
    head = start(server)
    seen: list[int] = []
    holding = threading.Event()

    def wait_for_the_row() -> None:
        holding.wait()
        with server.drain(head.run_id, wait=True) as run:
            assert run is not None
            seen.extend([run.head.seq, len(run.events_after(0))])

    waiter = threading.Thread(target=wait_for_the_row)
    waiter.start()
    with server.drain(head.run_id, wait=True) as holder:
        assert holder is not None
        holding.set()
        holder.apply(advance(holder.head, {"path": "a"}))
    waiter.join()

    assert seen == [2, 2]


def test_a_statement_that_takes_too_long_is_given_up_and_the_connection_lives(server: Store) -> None:
    with pytest.raises(UnavailableError, match="NX-S103"), server.database.transaction() as tx:  # type: ignore[attr-defined]  # noqa: PT012
        tx.execute("SET LOCAL statement_timeout = 20")
        tx.execute("SELECT pg_sleep(5)")

    assert server.now()


def test_a_failed_transaction_is_never_taken_for_a_committed_one(server: Store) -> None:
    def swallow() -> None:
        with server.database.transaction() as tx, contextlib.suppress(InternalError):  # type: ignore[attr-defined]
            tx.execute("SELECT 1/0")

    with pytest.raises(InternalError, match="NX-X100"):
        swallow()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="NX-S100"):
        open_store("postgresql://nobody@127.0.0.1:1/none").now()
    with pytest.raises(UnavailableError, match="NX-S100"):
        open_store(f"sqlite:///{tmp_path}/no/such/folder/file.db").head("run")


def test_a_server_at_another_isolation_level_is_refused(server: Store, postgres_url: str) -> None:
    name = urlsplit(postgres_url).path[1:]
    with server.database.once() as tx:  # type: ignore[attr-defined]
        tx.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")

    try:
        with pytest.raises(ConfigurationError, match="NX-S114"):
            open_store(postgres_url).now()
    finally:
        with server.database.once() as tx:  # type: ignore[attr-defined]
            tx.execute(f'ALTER DATABASE "{name}" RESET default_transaction_isolation')


def test_a_file_that_somebody_writes_for_too_long_is_unavailable(tmp_path: Path) -> None:
    url = fresh_sqlite(tmp_path)
    with patch.object(sqlite_database, "BUSY", 0.05):
        store = open_store(url)
        store.now()
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(UnavailableError, match="NX-S103"):
            store.post(mail("run"))

        other.execute("ROLLBACK")
        assert store.post(mail("run"))
        other.close()
        store.close()


def test_only_the_scheduler_moves_sqlites_log_into_the_file(tmp_path: Path) -> None:
    url = fresh_sqlite(tmp_path)
    found = {}
    for role in ("engine", "scheduler"):
        store = open_store(url, role=role)
        with store.database.once() as tx:  # type: ignore[attr-defined]
            names = ("wal_autocheckpoint", "journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found[role] = [tx.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
        store.close()

    assert found == {"engine": [0, "wal", 2, 1, 5000], "scheduler": [1000, "wal", 2, 1, 5000]}


def test_a_forked_child_has_connections_of_its_own(url: str) -> None:
    store = open_store(url)
    head = start(store)
    store.head(head.run_id)

    child = multiprocessing.get_context("fork").Process(target=_post, args=(store, head.run_id))
    child.start()
    child.join(30)

    assert child.exitcode == 0
    assert store.has_mail(head.run_id)
    store.close()


def _post(store: Store, run_id: str) -> None:
    assert store.post(mail(run_id, "from the child"))


@pytest.mark.parametrize(
    ("state", "code"),
    [("40P01", "NX-S103"), ("53100", "NX-S103"), ("57P01", "NX-S102"), ("25006", "NX-S103"), ("08006", "NX-S102")],
)
def test_every_way_in_which_a_server_fails_has_a_code(state: str, code: str) -> None:
    found = failures.from_state(RuntimeError("the server's words"), state)

    assert found is not None
    assert (found.code, found.message) == (code, "the server's words")


def test_a_drain_on_sqlite_may_call_verbs_of_its_own_store(tmp_path: Path) -> None:
    store = open_store(fresh_sqlite(tmp_path))
    head = start(store)

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        hash_ = store.put_blob("default", b"x")
        run.apply(advance(run.head, {"path": "a"}))
        assert moved(store, head).seq == 2

    assert store.blob("default", hash_) == b"x"
    store.close()
