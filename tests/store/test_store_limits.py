"""A read for a page ends after its seconds, and nobody else on the connection ever sees the limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections, transaction
from django.db.utils import ConnectionHandler
from sqlalchemy import func, literal, select

from nexum.errors import InputError, UnavailableError
from nexum.store.connect import open_store
from nexum.store.django import database_settings, store_on_django
from nexum.store.reading import Asked, RunQuery, list_runs
from nexum.store.tokens import check_token, create_token, list_tokens
from nexum.store.verbs import Verbs
from store_rows import start_row

ALIAS = "patient"
SLOW = select(func.pg_sleep(30))
SHORT = 0.1


@pytest.fixture
def direct(postgres_url: str) -> Iterator[Verbs]:
    store = open_store(postgres_url)
    assert isinstance(store, Verbs)
    yield store
    store.close()


def on_django(url: str) -> Iterator[Verbs]:
    """A store on a Django connection."""
    entry = ConnectionHandler({"default": {"ENGINE": "django.db.backends.dummy"}, ALIAS: database_settings(url)})
    connections.settings[ALIAS] = entry.settings[ALIAS]
    store = store_on_django(ALIAS)
    assert isinstance(store, Verbs)
    yield store
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.settings[ALIAS]


@pytest.fixture
def shop(postgres_url: str) -> Iterator[Verbs]:
    """A store on the shop's connection to PostgreSQL."""
    yield from on_django(postgres_url)


@pytest.fixture
def borrowed(url: str) -> Iterator[Verbs]:
    """A store on the shop's connection to either database."""
    yield from on_django(url)


def shown_limit() -> str:
    """The limit that the shop's own queries have on this connection."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def too_slow(store: Verbs) -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        store.within(SHORT).select(SLOW)
    return caught.value


def test_a_read_that_takes_too_long_has_a_code_and_leaves_the_connection_as_it_was(direct: Verbs) -> None:
    error = too_slow(direct)
    with direct.database.once() as tx:
        limit = tx.execute("SHOW statement_timeout").fetchone()[0]

    assert (error.code, error.message) == ("NX-S109", "the database was still reading after 0.1 s")
    assert limit == "0"
    assert direct.within(SHORT).select(select(literal(7))) == [(7,)]


def test_limit_and_read_are_one_message_so_that_pgbouncer_cannot_part_them(direct: Verbs) -> None:
    with direct.database.reading(2.5) as tx:
        rows = tx.execute("SELECT current_setting('statement_timeout')").fetchall()
        sent = bytes(tx.cursor.query)

    assert sent == b"SET LOCAL statement_timeout = 2500;SELECT current_setting('statement_timeout')"
    assert rows == [("2500ms",)]


def test_a_read_that_ends_otherwise_keeps_its_code(direct: Verbs) -> None:
    with direct.database.once() as tx:
        (me,) = tx.execute("SELECT pg_backend_pid()").fetchone()
    ender = select(func.pg_terminate_backend(me))

    with pytest.raises(UnavailableError, match="NX-S102"):
        direct.within(5).select(ender)


def test_the_shops_connection_has_no_limit_afterwards(shop: Verbs) -> None:
    error = too_slow(shop)

    assert error.code == "NX-S109"
    assert shown_limit() == "0"
    assert shop.within(SHORT).select(select(literal(7))) == [(7,)]
    assert shown_limit() == "0"


def test_inside_the_shops_transaction_the_limit_stays_out_of_it(shop: Verbs) -> None:
    with transaction.atomic(using=ALIAS):
        started = shop.start(start_row(run_key="order-1"))
        found = list_runs(shop.within(SHORT), RunQuery((Asked("key", "order-1"),)), limit=5)
        within = shown_limit()
        error = too_slow(shop)
        after = shown_limit()
        shop.start(start_row(run_key="order-2"))

    assert [row.run_id for row in found] == [started.run_id]
    assert (within, error.code, after) == ("0", "NX-S109", "0")
    assert len(list_runs(shop, RunQuery(), limit=5)) == 2, "the shop's transaction was committed whole"


def test_a_filter_that_no_column_can_hold_does_not_break_the_shops_transaction(shop: Verbs) -> None:
    with transaction.atomic(using=ALIAS):
        with pytest.raises(InputError, match="NX-S107"):
            shop.within(5).select(select(literal("\x00")))
        shop.start(start_row(run_key="order-1"))

    assert len(list_runs(shop, RunQuery(), limit=5)) == 1


def test_a_quick_read_is_answered_on_either_database(borrowed: Verbs) -> None:
    assert borrowed.within(SHORT).select(select(literal(7))) == [(7,)]


def test_checking_a_token_inside_a_request_s_transaction_keeps_when_it_was_used(borrowed: Verbs) -> None:
    token = create_token(borrowed, "ci", ("runs:read",))
    with transaction.atomic(using=ALIAS):
        assert check_token(borrowed.within(5), token) is not None

    (row,) = list_tokens(borrowed)
    assert row.last_used_at > 0
