"""The store in memory where it differs from a database: what is held cannot be waited for, and what changed is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from nexum.errors import ConfigurationError, InputError, InternalError, UnavailableError
from nexum.store.api import Head, NewTimer, Store, TaskKey
from nexum.store.memory import MemoryStore
from nexum.store.memory.transaction import Change
from nexum.store.tables import metadata
from store_rows import advance, completed, effect, mail, moved, name, outcome, record, start, task


@pytest.fixture
def memory(clock: Callable[[], int]) -> MemoryStore:
    """An empty store."""
    return MemoryStore(clock)


def begun(store: Store, **other: Any) -> tuple[Head, TaskKey]:
    """A run whose first task is claimed by s1; a second one is READY."""
    run_id = name()
    first = task(run_id, "a", **other)
    start(store, first, task(run_id, "z"))
    assert store.claim_one("s1", first.key)
    head = store.head(run_id)
    assert head is not None
    return head, first.key


def test_the_tables_have_the_columns_and_the_guards_of_the_schema(memory: MemoryStore) -> None:
    kept = {table.name: table for table in memory.tables}
    assert set(metadata.tables) - set(kept) == {"nexum_api_tokens", "nexum_group_decisions"}

    for name_, table in kept.items():
        schema = metadata.tables[name_]
        assert table.columns == tuple(schema.columns.keys()), name_
        unique = {tuple(index.columns.keys()) for index in schema.indexes if index.unique}
        names = {str(index.name) for index in schema.indexes if index.unique}
        primary = tuple(schema.primary_key.columns.keys())
        if primary == ("id",):  # the number is the databases' own; the one guard says which row it is
            assert unique == {table.primary}, name_
            assert table.guards == (), name_
        else:
            assert table.primary == primary, name_
            assert {guard for guard, _ in table.guards} == names, name_


def test_a_held_run_is_busy_for_everybody_else_and_free_afterwards(memory: MemoryStore) -> None:
    head, key = begun(memory)
    onward = advance(head, completed(key), drop_tasks=(key,))

    with memory.drain(head.run_id, wait=True):
        assert memory.is_held(head.run_id)
        with memory.drain(head.run_id, wait=False) as other:
            assert other is None
        with pytest.raises(UnavailableError, match="NX-S104"), memory.drain(head.run_id, wait=True):
            pass
        before = memory.contents()
        with pytest.raises(UnavailableError, match="NX-S104"):
            memory.step(record(key), onward)
        assert memory.contents() == before

    assert not memory.is_held(head.run_id)
    assert memory.step(record(key), onward).cas


def test_what_a_drain_writes_is_seen_by_others_only_after_its_commit(memory: MemoryStore) -> None:
    head, _ = begun(memory)
    memory.post(mail(head.run_id, "fact"))
    new = task(head.run_id, "b")

    with memory.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, {"path": "b"}, new_tasks=(new,), set_timers=(NewTimer("t", 1),)))
        run.take([row.id for row in run.inbox()])
        assert (list(run.inbox()), [event.seq for event in run.events_after(0)]) == ([], [1, 2])

        assert moved(memory, head) == head
        assert memory.has_mail(head.run_id)
        assert memory.claim_one("s2", new.key) is None
        assert memory.due_timers(9) == []

    assert moved(memory, head).seq == 2
    assert not memory.has_mail(head.run_id)
    assert memory.claim_one("s2", new.key)
    assert [due.timer for due in memory.due_timers(9)] == ["t"]


def test_a_drain_sees_what_others_commit_meanwhile(memory: MemoryStore) -> None:
    head, _ = begun(memory)

    with memory.drain(head.run_id, wait=True) as run:
        assert run is not None
        assert list(run.inbox()) == []
        memory.post(mail(head.run_id, "meanwhile"))
        assert [row.mail.dedupe for row in run.inbox()] == ["meanwhile"]


def test_a_drain_that_is_taken_back_leaves_what_others_committed_meanwhile(memory: MemoryStore) -> None:
    head, _ = begun(memory)
    memory.post(mail(head.run_id, "early"))

    with pytest.raises(RuntimeError), memory.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.take([row.id for row in run.inbox()])
        memory.post(mail(head.run_id, "meanwhile"))
        other, _ = begun(memory)
        raise RuntimeError

    with memory.drain(head.run_id, wait=True) as run:
        assert run is not None
        assert [row.mail.dedupe for row in run.inbox()] == ["early", "meanwhile"]
    assert memory.head(other.run_id) == other


def test_rows_that_a_drain_wrote_are_held_with_their_guards(memory: MemoryStore) -> None:
    head, _ = begun(memory)
    memory.post(mail(head.run_id, "taken"))
    ready = task(head.run_id, "z")

    with memory.drain(head.run_id, wait=True) as run:
        assert run is not None
        assert run.cancel_ready([ready.key]) == {ready.key}
        run.take([row.id for row in run.inbox()])

        assert memory.claim("s2", [ready.queue], 9) == []
        with pytest.raises(UnavailableError, match="NX-S104"):
            memory.claim_one("s2", ready.key)
        with pytest.raises(UnavailableError, match="NX-S104"):
            memory.post(mail(head.run_id, "taken"))

    assert memory.claim_one("s2", ready.key) is None
    assert memory.post(mail(head.run_id, "taken"))


def test_two_runs_are_drained_at_once(memory: MemoryStore) -> None:
    (one, _), (two, _) = begun(memory), begun(memory)

    with memory.drain(one.run_id, wait=True) as first, memory.drain(two.run_id, wait=True) as second:
        assert first is not None
        assert second is not None
        first.apply(advance(one, {"path": "b"}))
        second.apply(advance(two, {"path": "b"}))
        first.apply(advance(first.head, {"path": "c"}))

    assert (moved(memory, one).seq, moved(memory, two).seq) == (3, 2)


def test_nothing_is_kept_of_a_drain_in_which_a_guard_spoke(memory: MemoryStore) -> None:
    head, _ = begun(memory)

    with pytest.raises(InternalError, match="a failed transaction"), memory.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.apply(advance(run.head, {"path": "b", "dedupe": "one"}))
        with pytest.raises(InternalError, match="NX-S105"):
            run.apply(advance(run.head, {"path": "c", "dedupe": "one"}))

    assert moved(memory, head) == head


def test_each_round_trip_of_a_drain_has_its_own_time(memory: MemoryStore, clock: Any) -> None:
    head, _ = begun(memory)

    with memory.drain(head.run_id, wait=True) as run:
        assert run is not None
        clock.forward(5)
        run.apply(advance(run.head, {"path": "b"}))

    assert memory.tables.runs.rows[head.run_id].updated_at == clock.now


def test_every_commit_is_told_and_nothing_else(clock: Callable[[], int]) -> None:
    told: list[Sequence[Change]] = []
    memory = MemoryStore(clock, watch=told.append)
    head, key = begun(memory, effect=effect("k"))
    told.clear()

    memory.step(record(key, outcome("k")), advance(head, completed(key), drop_tasks=(key,)))
    (changes,) = told
    assert [change.table.name for change in changes] == ["nexum_effects", "nexum_runs", "nexum_events", "nexum_tasks"]
    assert (changes[0].before.state, changes[0].after.state) == ("CLAIMED", "APPLIED")
    assert (changes[3].key, changes[3].after) == (key, None)

    assert memory.has_mail(head.run_id) is False
    memory.claim_one("s2", key)
    with pytest.raises(InputError, match="NX-S107"):
        memory.post(mail(head.run_id, "nul \x00"))
    with pytest.raises(RuntimeError), memory.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.apply(advance(run.head, {"path": "b"}))
        raise RuntimeError
    assert len(told) == 1


def test_a_copy_of_the_contents_stays_as_it_is(memory: MemoryStore) -> None:
    head, key = begun(memory)
    before = memory.contents()

    memory.step(record(key), advance(head, completed(key), drop_tasks=(key,)))

    assert before != memory.contents()
    assert before["nexum_runs"][head.run_id].last_seq == 1


def test_the_newest_events_come_along_with_a_claim(clock: Callable[[], int]) -> None:
    memory, plain = MemoryStore(clock), MemoryStore(clock, recent=0)
    for store, expected in ((memory, [2, 3, 4, 5]), (plain, [])):
        head, key = begun(store)
        bodies = (completed(key), *({"path": f"n{number}"} for number in range(3)))
        store.step(record(key), advance(head, *bodies, drop_tasks=(key,)))

        held = store.claim_one("s2", task(head.run_id, "z").key)

        assert held is not None
        assert [link.seq for link in held.recent] == expected
        assert [link.hash for link in held.recent] == [row.hash for row in store.events_after(head.run_id, 1)][
            : len(expected)
        ]


def test_a_question_in_sql_is_refused_and_not_answered_with_nothing(memory: MemoryStore) -> None:
    with pytest.raises(ConfigurationError, match=r"NX-S116.*nexum_runs"):
        memory.select(metadata.tables["nexum_runs"].select())
