"""Calls that a handler journals: claimed by whoever holds the task, made once, and judged by whoever finds them."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.store.api import CallAnswer, CallClaim, EffectOutcome, Mail, Record, Store, TaskKey
from store_rows import MINUTE, QUEUE, mail, name, session, start, task
from store_tables import rows_of

CHARGE = "book/io.charge"


def begun(store: Store, **other: Any) -> CallClaim:
    """A call that a handler may make: its task is held by s1."""
    store.open_session(session("s1"))
    store.open_session(session("s2"))
    wanted = task(name(), "book", kind="effect")
    start(store, wanted)
    (claimed,) = store.claim("s1", [QUEUE], 1)
    given: dict[str, Any] = {
        "parent": wanted.key,
        "session": "s1",
        "token": claimed.token,
        "tenant": "default",
        "key": name("key"),
        "path": CHARGE,
        "input_hash": "aa",
        "tool": "pay",
        "policy": "hold",
        "ttl": 0,
        **other,
    }
    return CallClaim(**given)


def ended(call: CallClaim, token: int, state: str = "APPLIED", result: bytes = b"1") -> Record:
    """What became of a call."""
    place = TaskKey(call.parent.run_id, call.path, call.parent.visit, call.parent.item, call.parent.attempt)
    fact = Mail(call.parent.run_id, f"call|{call.path}", "NodeCompleted", b"{}", payload=result)
    outcome = EffectOutcome(call.tenant, call.key, token, state, result, "cd")
    return Record(place, call.session, token, fact, outcome)


def taken_over(store: Store, call: CallClaim) -> CallClaim:
    """The same call as the next holder of the task would make it."""
    store.end_session("s1", proof="killed")
    assert store.requeue(call.parent, call.token)
    (claimed,) = store.claim("s2", [QUEUE], 1)
    return call._replace(session="s2", token=claimed.token)


def inbox(store: Store, call: CallClaim) -> list[str]:
    return [row["dedupe"] for row in rows_of(store, "nexum_inbox") if row["run_id"] == call.parent.run_id]


def effect(store: Store) -> dict[str, Any]:
    (row,) = rows_of(store, "nexum_effects")
    return row


def test_a_call_is_claimed_once_and_recorded_with_its_fact_in_one_commit(store: Store) -> None:
    call = begun(store)

    answer = store.claim_call(call)
    assert answer == CallAnswer("", token=1)
    assert (effect(store)["state"], effect(store)["path"]) == ("CLAIMED", CHARGE)
    assert [found.state for found in store.open_calls(call.parent)] == ["CLAIMED"]

    assert store.record(ended(call, 1)).recorded
    assert effect(store)["state"] == "RECORDED"
    assert inbox(store, call) == [f"call|{CHARGE}"]
    assert store.open_calls(call.parent) == []
    assert store.claim_call(call) == CallAnswer("reuse", 1, b"1", "cd")
    assert store.find_call(call) == CallAnswer("reuse", 1, b"1", "cd")


@pytest.mark.parametrize("change", [{"session": "s2"}, {"token": 9}, {"parent": TaskKey("r", "book", 1, -1, 1)}])
def test_who_does_not_hold_the_task_claims_nothing(store: Store, change: dict[str, Any]) -> None:
    call = begun(store)._replace(**change)

    assert store.claim_call(call).state == "lost"
    assert store.find_call(call).state == "lost"
    assert store.keep_call(call, b"1", "cd", mail(call.parent.run_id)).state == "lost"
    assert rows_of(store, "nexum_effects") == []
    assert rows_of(store, "nexum_inbox") == []


def test_a_worker_that_has_lost_its_task_can_neither_begin_a_call_nor_make_one_again(store: Store) -> None:
    call = begun(store, policy="dedupes", ttl=60 * MINUTE)
    store.claim_call(call)
    taken_over(store, call)

    assert store.claim_call(call).state == "lost"
    assert store.claim_call(call._replace(key="another")).state == "lost"
    assert effect(store)["token"] == 1


def test_a_call_that_somebody_else_began_is_in_doubt_and_made_again_only_where_the_provider_dedupes(
    store: Store, clock: Any
) -> None:
    call = begun(store)
    store.claim_call(call)
    again = taken_over(store, call)

    assert store.claim_call(again).state == "doubt"
    young = again._replace(policy="dedupes", ttl=60 * MINUTE)
    clock.forward(47 * 60)
    assert store.claim_call(young) == CallAnswer("", token=2)
    clock.forward(60)
    assert store.claim_call(young).state == "doubt"


def test_what_the_first_maker_brings_after_the_call_was_made_again_is_evidence(store: Store) -> None:
    call = begun(store, policy="dedupes", ttl=60 * MINUTE)
    store.claim_call(call)
    again = taken_over(store, call)
    store.claim_call(again)

    assert not store.record(ended(call, 1)).recorded
    assert len(rows_of(store, "nexum_effect_evidence")) == 1
    assert store.record(ended(again, 2, result=b"2")).recorded
    assert effect(store)["state"] == "RECORDED"


@pytest.mark.parametrize("state", ["CLAIMED", "RECORDED", "FAILED"])
def test_other_arguments_under_the_same_name_are_a_conflict(store: Store, state: str) -> None:
    call = begun(store)
    store.claim_call(call)
    if state == "RECORDED":
        store.record(ended(call, 1))
    elif state == "FAILED":
        assert store.end_call(ended(call, 1, "FAILED"))

    assert store.claim_call(call._replace(input_hash="bb")).state == "conflict"
    assert store.find_call(call._replace(input_hash="bb")).state == "conflict"
    assert effect(store)["token"] == 1


def test_a_call_that_was_not_made_may_be_made_and_says_nothing_to_the_run(store: Store) -> None:
    call = begun(store)
    store.claim_call(call)

    assert store.end_call(ended(call, 1, "FAILED"))
    assert inbox(store, call) == []
    assert store.open_calls(call.parent) == []
    assert store.claim_call(call) == CallAnswer("", token=2)
    assert not store.end_call(ended(call, 1, "UNKNOWN"))
    assert effect(store)["state"] == "CLAIMED"


def test_the_time_of_a_call_that_was_not_made_begins_with_the_next_claim(store: Store, clock: Any) -> None:
    call = begun(store, policy="dedupes", ttl=10 * MINUTE)
    store.end_call(ended(call, store.claim_call(call).token, "FAILED"))
    clock.forward(3_600)

    again = store.claim_call(call)

    assert (again.state, effect(store)["first_sent_at"]) == ("", store.now())
    store.end_call(ended(call, again.token, "UNKNOWN"))
    clock.forward(60)
    assert store.claim_call(call).state == ""
    assert effect(store)["first_sent_at"] == store.now() - MINUTE


def test_a_call_that_was_not_made_this_time_may_have_been_made_by_whoever_began_it_before(store: Store) -> None:
    call = begun(store, policy="dedupes", ttl=MINUTE)
    store.claim_call(call)
    again = taken_over(store, call)
    assert store.claim_call(again) == CallAnswer("", token=2)

    assert store.end_call(ended(again, 2, "FAILED"))
    assert effect(store)["state"] == "UNKNOWN"
    assert store.end_call(ended(again, 2, "FAILED"))  # its answer was lost
    assert store.claim_call(again) == CallAnswer("", token=3)
    assert store.end_call(ended(again, 3, "FAILED"))
    assert [(found.state, found.token) for found in store.open_calls(again.parent)] == [("UNKNOWN", 3)]


def test_a_call_in_doubt_is_found_with_its_fact_and_evidence_still_ends_it(store: Store) -> None:
    call = begun(store, policy="dedupes", ttl=60 * MINUTE)
    store.claim_call(call)
    store.end_call(ended(call, 1, "UNKNOWN"))
    (found,) = store.open_calls(call.parent)
    assert (found.state, found.policy, found.path) == ("UNKNOWN", "dedupes", CHARGE)

    assert store.doubt_call(found, 3, mail(call.parent.run_id, "doubt"))
    assert (effect(store)["state"], effect(store)["attempt"]) == ("IN_DOUBT", 3)
    assert inbox(store, call) == ["doubt"]
    assert store.claim_call(call).state == "doubt"

    assert store.record(ended(call, 1)).recorded
    assert not store.doubt_call(found, 3, mail(call.parent.run_id, "again"))
    assert inbox(store, call) == ["doubt", f"call|{CHARGE}"]


def test_a_call_under_the_key_of_another_run_waits_for_it_and_then_takes_its_result(store: Store) -> None:
    first = begun(store)
    second = begun(store, key=first.key)
    store.claim_call(first)

    assert store.claim_call(second).state == "wait"
    store.record(ended(first, 1))
    assert store.claim_call(second).state == "reuse"


def test_a_result_without_a_claim_is_kept_once_with_its_fact(store: Store) -> None:
    call = begun(store, policy="read")
    assert store.find_call(call) == CallAnswer("")

    assert store.keep_call(call, b"1", "cd", mail(call.parent.run_id, "one")) == CallAnswer("", token=1)
    assert store.keep_call(call, b"2", "ef", mail(call.parent.run_id, "two")) == CallAnswer("reuse", 1, b"1", "cd")
    assert inbox(store, call) == ["one"]
    assert effect(store)["state"] == "RECORDED"
    assert store.open_calls(call.parent) == []


def test_calls_of_another_node_with_a_similar_name_are_not_this_ones(store: Store) -> None:
    call = begun(store)
    store.claim_call(call)
    store.claim_call(call._replace(key="k2", path="book/io.a"))
    store.claim_call(call._replace(key="k3", path="booking/io.a"))
    store.claim_call(call._replace(key="k4", path="book/iox"))

    assert [found.path for found in store.open_calls(call.parent)] == ["book/io.a", CHARGE]
    assert store.made_calls(call.parent) == []


def test_what_a_node_has_made_is_known_by_place_and_what_it_only_asked_is_not_in_it(store: Store) -> None:
    call = begun(store)
    other = call._replace(key="k2", path="booking/io.a")
    for made in (call, other):
        assert store.claim_call(made).state == ""
        assert store.record(ended(made, 1)).recorded
    read = call._replace(key="k3", path="book/io.read", policy="read")
    store.keep_call(read, b"1", "cd", mail(call.parent.run_id, "read"))
    store.claim_call(call._replace(key="k4", path="book/io.open"))

    assert store.made_calls(call.parent) == [CHARGE]
    assert store.made_calls(call.parent._replace(visit=2)) == []


def test_a_claim_whose_answer_was_lost_is_made_again_by_its_own_maker_alone(store: Store) -> None:
    call = begun(store)
    store.claim_call(call)

    assert store.claim_call(call).state == "doubt"
    assert store.claim_call(call._replace(again=True)) == CallAnswer("", token=2)
    assert store.claim_call(call._replace(again=True, input_hash="bb")).state == "conflict"
    assert not store.record(ended(call, 1)).recorded
    assert store.claim_call(taken_over(store, call)._replace(again=True)).state == "doubt"


@pytest.mark.parametrize("outcome", ["UNKNOWN", "FAILED"])
def test_an_attempt_that_is_to_make_a_call_again_which_may_have_been_made_is_no_late_start(
    store: Store, clock: Any, outcome: str
) -> None:
    call = begun(store)
    token = store.claim_call(call).token
    store.end_call(ended(call, token, outcome)._replace(mail=Mail(call.parent.run_id, "", "", b"")))
    again = task(call.parent.run_id, "book", 2, kind="effect", start_by=store.now() + 1)
    with store.drain(call.parent.run_id, wait=True) as held:
        assert held is not None
        held.restore("default", [again])
    clock.forward(1)

    late = outcome == "FAILED"  # it is known not to have been made, so it was certainly not sent
    assert [key for key, _ in store.late_starts(9)] == [again.key] * late
    assert store.expire_start(again.key, mail(call.parent.run_id, "late")) is late
