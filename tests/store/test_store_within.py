"""The engine's last word inside a transaction that a handler wrote in: who holds the task, and one commit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from nexum.errors import InternalError
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.transacting import Transactions
from store_rows import QUEUE, advance, name, session, start, task


class Undone(Exception):
    """What a handler raises."""


@pytest.fixture
def outside(url: str) -> Iterator[Store]:
    """Another process's view of the same database."""
    opened = open_store(url)
    yield opened
    opened.close()


def test_a_task_is_held_by_the_session_that_claimed_it_under_its_token_and_by_nobody_else(store: Store) -> None:
    store.open_session(session("s1"))
    wanted = task(name())
    head = start(store, wanted)
    (claimed,) = store.claim("s1", [QUEUE], 1)

    with store.drain_within(head.run_id) as held:
        assert held is not None
        assert held.holds(wanted.key, "s1", claimed.token)
        assert not held.holds(wanted.key, "s2", claimed.token)
        assert not held.holds(wanted.key, "s1", claimed.token + 1)
        assert not held.holds(wanted.key._replace(attempt=2), "s1", claimed.token)


def test_a_task_that_was_given_back_is_held_by_nobody(store: Store) -> None:
    store.open_session(session("s1"))
    wanted = task(name())
    head = start(store, wanted)
    (claimed,) = store.claim("s1", [QUEUE], 1)
    store.end_session("s1", proof="killed")
    assert store.requeue(wanted.key, claimed.token)

    with store.drain_within(head.run_id) as held:
        assert held is not None
        assert not held.holds(wanted.key, "s1", claimed.token)


def test_a_run_that_does_not_exist_cannot_be_drained_within(store: Store) -> None:
    with store.drain_within("nobody") as held:
        assert held is None


def test_what_is_applied_is_seen_by_others_with_the_callers_commit_and_not_before(url: str, outside: Store) -> None:
    head = start(outside, task(name()))

    with Transactions(url).open() as (connection, store):
        connection.execute(text("CREATE TABLE theirs (n integer)"))
        with store.drain_within(head.run_id) as held:
            assert held is not None
            held.apply(advance(head, {"type": "Ignored", "path": "", "visit": 0}))
        assert outside.events_after(head.run_id, head.seq) == []

    assert len(outside.events_after(head.run_id, head.seq)) == 1


def test_the_callers_rollback_takes_it_all_back(url: str, outside: Store) -> None:
    head = start(outside, task(name()))

    with pytest.raises(Undone), Transactions(url).open() as (_, store):  # noqa: PT012
        with store.drain_within(head.run_id) as held:
            assert held is not None
            held.apply(advance(head, {"type": "Ignored", "path": "", "visit": 0}))
        raise Undone

    assert outside.head(head.run_id) == head


def test_an_advance_from_where_the_run_is_not_is_refused_within_too(url: str, outside: Store) -> None:
    head = start(outside, task(name()))

    with (  # noqa: PT012
        pytest.raises(InternalError) as caught,
        Transactions(url).open() as (_, store),
        store.drain_within(head.run_id) as held,
    ):
        assert held is not None
        held.apply(advance(head._replace(seq=7), {"type": "Ignored", "path": "", "visit": 0}))
    assert caught.value.code == "NX-S106"
