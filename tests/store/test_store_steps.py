"""Record first, then advance: what is durable when the advance is not."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.store.api import Advance, Head, NewTask, NewTimer, Store, TaskKey
from store_rows import advance, completed, effect, events, mail, moved, name, outcome, record, start, task
from store_tables import rows_of


def chain(store: Store, **other: Any) -> tuple[Head, TaskKey]:
    """A run whose first task is claimed by s1."""
    run_id = name()
    first = task(run_id, "a", **other)
    head = start(store, first)
    assert store.claim_one("s1", first.key)
    return moved(store, head), first.key


def onward(head: Head, key: TaskKey, follower: NewTask, **other: Any) -> Advance:
    """The ordinary step: `key` has completed, `follower` is scheduled and wanted."""
    scheduled = {"path": follower.key.path, "attempt": follower.key.attempt}
    return advance(
        head, completed(key), scheduled, **{"drop_tasks": (key,), "new_tasks": (follower,), "claim": 0, **other}
    )


def states(store: Store) -> dict[str, str]:
    """Effects by key."""
    return {row["key"]: row["state"] for row in rows_of(store, "nexum_effects")}


def count(store: Store, table: str) -> int:
    """Rows of a table."""
    return len(rows_of(store, table))


def test_a_step_records_appends_swaps_tasks_and_claims_the_next(store: Store) -> None:
    head, key = chain(store)
    follower = task(head.run_id, "b")

    answer = store.step(record(key), onward(head, key, follower))

    assert answer[:4] == (True, True, True, False)
    assert moved(store, head).seq == 3
    assert store.claim_one("s2", key) is None
    (held,) = store.adopt("s1")
    assert (held.key, held.token, held.deliveries, held.last_seq) == (follower.key, 1, 1, 3)


def test_a_step_in_any_other_shape_does_the_same(store: Store) -> None:
    head, key = chain(store)
    followers = (task(head.run_id, "b"), task(head.run_id, "c", effect=effect("k")))
    bodies = (completed(key), {"path": "b"}, {"path": "c"})

    answer = store.step(record(key), advance(head, *bodies, drop_tasks=(key,), new_tasks=followers, claim=1))

    assert answer[:4] == (True, True, True, False)
    (held,) = store.adopt("s1")
    assert (held.key, held.effect) == (followers[1].key, "")
    assert states(store) == {"k": "CLAIMED"}
    assert store.claim_one("s2", followers[0].key)


def test_a_task_that_may_not_begin_yet_is_not_claimed(store: Store) -> None:
    head, key = chain(store)
    later = task(head.run_id, "b", not_before=store.now() + 1)

    answer = store.step(record(key), onward(head, key, later))

    assert (answer.cas, answer.claimed) == (True, False)


def test_an_effect_is_applied_and_the_next_is_claimed_in_the_same_commit(store: Store) -> None:
    head, key = chain(store, effect=effect("first"))
    follower = task(head.run_id, "b", effect=effect("second"))

    answer = store.step(record(key, outcome("first")), onward(head, key, follower))

    assert answer[:3] == (True, True, True)
    assert states(store) == {"first": "APPLIED", "second": "CLAIMED"}


@pytest.mark.parametrize("shape", ["chain", "array"])
def test_a_lost_compare_and_set_keeps_the_record_and_puts_the_fact_into_the_inbox(store: Store, shape: str) -> None:
    head, key = chain(store, effect=effect("k"))
    follower = task(head.run_id, "b")
    elsewhere = head._replace(hash=b"\x07" * 32) if shape == "chain" else head._replace(seq=head.seq + 5)
    others: dict[str, Any] = {} if shape == "chain" else {"clear_timers": ("none",)}

    answer = store.step(record(key, outcome("k")), onward(elsewhere, key, follower, **others))

    assert answer[:4] == (False, True, False, True)
    assert states(store) == {"k": "RECORDED"}
    assert moved(store, head) == head
    assert store.claim_one("s1", follower.key) is None


@pytest.mark.parametrize("shape", ["chain", "array"])
def test_a_violated_constraint_takes_back_the_advance_and_not_the_record(store: Store, shape: str) -> None:
    head, key = chain(store, effect=effect("k"))
    follower = task(head.run_id, "b")
    with store.drain(head.run_id, wait=True) as run:  # somebody has ended this cell already
        assert run is not None
        run.apply(advance(run.head, {**completed(key), "dedupe": "other"}))
    others: dict[str, Any] = {} if shape == "chain" else {"clear_timers": ("none",)}

    answer = store.step(record(key, outcome("k")), onward(moved(store, head), key, follower, **others))

    assert answer[:4] == (False, True, False, True)
    assert states(store) == {"k": "RECORDED"}
    assert moved(store, head).seq == 2
    assert store.claim_one("s1", follower.key) is None


def test_a_zombie_leaves_evidence_and_changes_nothing(store: Store) -> None:
    head, key = chain(store, effect=effect("k"))
    follower = task(head.run_id, "b")
    stale = outcome("k", token=0, reference="re_\x00_1")

    for _ in range(2):
        answer = store.step(record(key, stale, token=0), onward(head, key, follower))
        assert answer[:4] == (False, False, False, False)
    assert store.record(record(key, stale, token=0)) == (False, False)

    assert count(store, "nexum_effect_evidence") == 1
    assert states(store) == {"k": "CLAIMED"}
    assert moved(store, head) == head


@pytest.mark.parametrize("state", ["FAILED", "UNKNOWN", "IN_DOUBT"])
def test_every_outcome_is_written_under_its_token(store: Store, state: str) -> None:
    head, key = chain(store, effect=effect("k"))

    answer = store.step(record(key, outcome("k", state=state)), onward(head, key, task(head.run_id, "b")))

    assert (answer.cas, answer.recorded) == (True, True)
    assert states(store) == {"k": state}


def test_late_evidence_beats_suspicion_as_long_as_nobody_has_claimed_since(store: Store) -> None:
    head, key = chain(store, effect=effect("k"))
    assert store.doubt(key, 1, mail(head.run_id, "doubt"))

    answer = store.step(record(key, outcome("k")), onward(head, key, task(head.run_id, "b")))

    assert (answer.cas, answer.recorded, answer.mail) == (True, True, True)
    assert states(store) == {"k": "APPLIED"}


def test_record_is_idempotent_and_knows_what_stands_already(store: Store) -> None:
    head, key = chain(store, effect=effect("k"))
    fact = record(key, outcome("k"))

    assert store.record(fact) == (True, False)
    assert store.record(fact) == (True, True)

    assert states(store) == {"k": "RECORDED"}
    assert count(store, "nexum_inbox") == 1
    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, completed(key), applied=("k",)))
        run.take([row.id for row in run.inbox()])
    assert store.record(fact) == (True, True)
    assert states(store) == {"k": "APPLIED"}
    assert not store.has_mail(head.run_id)


def test_a_step_that_is_sent_twice_is_recorded_once(store: Store) -> None:
    head, key = chain(store, effect=effect("k"))
    follower = task(head.run_id, "b")
    fact, onwards = record(key, outcome("k")), onward(head, key, follower)

    first, again = store.step(fact, onwards), store.step(fact, onwards)

    assert (first.cas, again.cas) == (True, False)
    assert again.recorded
    assert states(store) == {"k": "APPLIED"}
    assert (count(store, "nexum_inbox"), count(store, "nexum_effect_evidence")) == (0, 0)


def test_mail_is_seen_by_the_step_that_it_must_divert(store: Store) -> None:
    head, key = chain(store)
    store.post(mail(head.run_id, "cancel"))

    answer = store.step(record(key), onward(head, key, task(head.run_id, "b")))

    assert (answer.cas, answer.claimed, answer.mail) == (True, True, True)


def test_timers_are_set_moved_and_cleared_with_the_step(store: Store, clock: Any) -> None:
    head, key = chain(store)
    timers = (NewTimer("a", store.now()), NewTimer("b", store.now()), NewTimer("b", store.now() + 1_000_000))
    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, {"path": "x"}, set_timers=timers))
    head = moved(store, head)
    assert [due.timer for due in store.due_timers(9)] == ["a"]

    store.step(record(key), advance(head, completed(key), clear_timers=("a",), drop_tasks=(key,)))
    assert store.due_timers(9) == []
    clock.forward(1)
    assert [due.timer for due in store.due_timers(9)] == ["b"]


def test_a_step_that_closes_the_run_leaves_no_task_and_no_timer(store: Store) -> None:
    head, key = chain(store)
    bodies = (completed(key), {"type": "RunCompleted", "path": ""})

    answer = store.step(record(key), advance(head, *bodies, drop_tasks=(key,), status="COMPLETED", closed=True))

    assert answer[:4] == (True, True, False, False)
    assert moved(store, head).status == "COMPLETED"
    assert count(store, "nexum_tasks") == 0


def test_payloads_may_hold_any_bytes(store: Store) -> None:
    head, key = chain(store, effect=effect("k"))
    output = bytes(range(256))
    fact = record(key, outcome("k", result=output, raw=b"\x00raw"), output=output)
    bodies = (completed(key, output), {"path": "b"})

    answer = store.step(fact, advance(head, *bodies, drop_tasks=(key,), new_tasks=(task(head.run_id, "b"),), claim=0))

    assert answer.cas
    assert store.payload(head.run_id, 2) == output
    assert list(store.events_after(head.run_id, 1)) == list(events(head.seq, head.hash, *bodies))
