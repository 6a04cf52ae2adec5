"""A business key whose run has ended without knowing what became of it goes to the next run, in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.store.api import Claimed, Store, TaskKey
from store_rows import QUEUE, advance, effect, name, outcome, record, session, start, task
from store_tables import rows_of

ACT = effect("k", business_key="order-1")


def ready(store: Store) -> TaskKey:
    made = task(name(), effect=ACT)
    start(store, made)
    return made.key


def take(store: Store, key: TaskKey, who: str) -> Claimed:
    held = store.claim_one(who, key)
    assert held is not None
    return held


def end(store: Store, run_id: str, status: str = "FAILED") -> None:
    """The run ends, and its tasks with it."""
    head = store.head(run_id)
    assert head is not None
    ended = {"type": f"Run{status.title()}", "path": "", "visit": 0}
    with store.drain(run_id, wait=True) as held:
        assert held is not None
        held.apply(advance(head, ended, status=status, closed=True))


def effect_row(store: Store) -> dict[str, Any]:
    (row,) = rows_of(store, "nexum_effects")
    return row


def test_a_key_that_its_run_left_behind_is_in_doubt_with_whoever_comes_next(store: Store) -> None:
    store.open_session(session("s1"))
    first = ready(store)
    left = take(store, first, "s1")
    store.record(record(first, outcome("k", state="UNKNOWN")))
    end(store, first.run_id)
    second = ready(store)

    held = take(store, second, "s2")

    assert (held.effect, held.holder) == ("doubt", f"{first.run_id}/{first.path}")
    row = effect_row(store)
    assert (row["state"], row["before"], row["run_id"], row["attempt"]) == ("IN_DOUBT", "UNKNOWN", second.run_id, 1)
    assert left.token < row["token"] < held.token


@pytest.mark.parametrize("state", ["UNKNOWN", "IN_DOUBT"])
def test_as_long_as_the_run_is_open_its_key_is_waited_for(store: Store, state: str) -> None:
    store.open_session(session("s1"))
    first = ready(store)
    take(store, first, "s1")
    store.record(record(first, outcome("k", state=state)))

    held = take(store, ready(store), "s2")

    assert (held.effect, held.holder) == ("wait", f"{first.run_id}/{first.path}")


def test_a_live_worker_of_a_run_that_was_terminated_is_waited_for_and_a_dead_one_is_not(
    store: Store, clock: Any
) -> None:
    store.open_session(session("s1"))
    first = ready(store)
    take(store, first, "s1")
    end(store, first.run_id, "TERMINATED")
    second = ready(store)

    alive = take(store, second, "s2")
    store.end_session("s1", proof="seen to die")
    clock.forward(2)
    dead = take(store, second, "s2")

    assert (alive.effect, dead.effect) == ("wait", "doubt")


def test_whoever_reports_for_the_run_that_has_ended_leaves_evidence_only(store: Store) -> None:
    store.open_session(session("s1"))
    first = ready(store)
    left = take(store, first, "s1")
    store.end_session("s1", proof="believed dead")
    end(store, first.run_id, "TERMINATED")
    take(store, ready(store), "s2")

    late = store.record(record(first, outcome("k", token=left.token), token=left.token))

    assert not late.recorded
    assert effect_row(store)["state"] == "IN_DOUBT"
    assert len(rows_of(store, "nexum_effect_evidence")) == 1


def test_an_inherited_doubt_whose_answer_was_lost_is_adopted_as_a_doubt(store: Store) -> None:
    store.open_session(session("s1"))
    first = ready(store)
    take(store, first, "s1")
    store.record(record(first, outcome("k", state="UNKNOWN")))
    end(store, first.run_id)
    held = take(store, ready(store), "s2")

    (again,) = store.adopt("s2")

    assert (again.key, again.token, again.effect) == (held.key, held.token, "doubt")


def test_of_equally_old_tasks_with_one_key_the_first_by_name_goes_first(store: Store) -> None:
    keys = [ready(store) for _ in range(5)]

    held = store.claim("s1", [QUEUE], 9)

    winners = [each.key for each in held if each.effect == ""]
    assert winners == [min(keys)]
