"""Claims of tasks and of effects: who may do what now."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nexum.store.api import Claimed, NewEffect, Store, TaskKey
from store_rows import (
    MINUTE,
    QUEUE,
    advance,
    completed,
    effect,
    mail,
    moved,
    name,
    outcome,
    record,
    session,
    start,
    task,
)
from store_tables import rows_of


def ready(store: Store, act: NewEffect | None = None, run_id: str = "", path: str = "a", **other: Any) -> TaskKey:
    """A run with one READY task."""
    made = task(run_id or name(), path, effect=act, **other)
    start(store, made)
    return made.key


def retried(store: Store, key: TaskKey, state: str, act: NewEffect) -> TaskKey:
    """The attempt has ended with this state of its effect, and the next one is READY."""
    head = moved(store, start_of(store, key))
    token = next(held.token for held in store.adopt("s1") if held.key == key)
    following = key._replace(attempt=key.attempt + 1)
    fact = record(key, outcome(act.key, token=token, state=state), token=token)
    again = task(key.run_id, key.path, key.attempt + 1, effect=act)
    ended = {**completed(key), "type": "AttemptFailed"}
    step = advance(head, ended, {"type": "RetryScheduled"}, drop_tasks=(key,), new_tasks=(again,))
    assert store.step(fact, step).cas
    return following


def start_of(store: Store, key: TaskKey) -> Any:
    """The head of the task's run."""
    return store.head(key.run_id)


def take(store: Store, key: TaskKey, who: str = "s1") -> Claimed:
    """Claim what must be there."""
    held = store.claim_one(who, key)
    assert held is not None
    return held


def test_a_task_is_claimed_once(store: Store) -> None:
    key = ready(store)

    held = take(store, key)

    assert (held.key, held.token, held.deliveries, held.effect, held.now) == (key, 1, 1, "", store.now())
    assert (held.last_seq, held.last_hash) == start_of(store, key)[5:7]
    assert store.claim_one("s2", key) is None
    assert store.claim("s2", [QUEUE], 9) == []


def test_claims_go_by_priority_then_age_and_only_by_queue(store: Store, clock: Any) -> None:
    late = ready(store, priority=0)
    clock.forward(1)
    later = ready(store, priority=0)
    urgent = ready(store, priority=-1)
    clock.forward(1)
    other = ready(store, queue="Other@1")

    assert [held.key for held in store.claim("s1", [QUEUE], 2)] == [urgent, late]
    assert [held.key for held in store.claim("s1", [QUEUE, "Other@1"], 9)] == [later, other]


def test_a_task_with_a_later_start_waits_for_it(store: Store, clock: Any) -> None:
    key = ready(store, not_before=store.now() + 5_000_000)

    assert store.claim("s1", [QUEUE], 1) == []
    assert store.claim_one("s1", key) is None
    clock.forward(5)
    assert [held.key for held in store.claim("s1", [QUEUE], 1)] == [key]


def test_racing_claimers_share_the_tasks_without_overlap(store: Store) -> None:
    run_id = name()
    start(store, *[task(run_id, "a", item=item, effect=effect()) for item in range(40)])
    taken: list[Claimed] = []
    together = threading.Barrier(4)

    def race(who: str) -> None:
        together.wait()
        for _ in range(6):
            taken.extend(store.claim(who, [QUEUE], 3))

    threads = [threading.Thread(target=race, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.extend(store.claim("rest", [QUEUE], 99))

    assert sorted(held.key.item for held in taken) == list(range(40))
    assert all(held.token == 1 for held in taken)


def test_a_released_task_is_as_if_it_had_never_been_claimed(store: Store) -> None:
    key = ready(store, effect("k"))
    held = take(store, key)

    assert not store.release("s2", key, held.token)
    assert store.release("s1", key, held.token)
    assert not store.release("s1", key, held.token)

    again = take(store, key, "s2")
    assert (again.token, again.deliveries, again.effect) == (2, 1, "")


def test_a_release_gives_an_effect_back_as_the_claim_before_had_left_it(store: Store) -> None:
    store.open_session(session("s1"))
    act = effect("k")
    key = ready(store, act)
    lost = take(store, key)
    store.end_session("s1", proof="gone")
    assert store.requeue(key, lost.token)
    held = take(store, key, "s2")

    assert store.release("s2", key, held.token)

    (kept,) = rows_of(store, "nexum_effects")
    assert (kept["state"], kept["token"], kept["first_sent_at"]) == ("CLAIMED", held.token, store.now())
    assert take(store, key, "s3").effect == ""


def test_a_failed_effect_may_be_tried_again_under_a_higher_token(store: Store) -> None:
    act = effect("k", policy="hold")
    key = ready(store, act)
    first = take(store, key)

    again = take(store, retried(store, key, "FAILED", act))

    assert again.effect == ""
    assert again.token > first.token


def test_an_unknown_effect_is_sent_again_while_its_provider_remembers_the_key(store: Store, clock: Any) -> None:
    act = effect("k", ttl=10 * MINUTE)
    key = ready(store, act)
    take(store, key)
    following = retried(store, key, "UNKNOWN", act)

    clock.forward(60 * 8 - 1)
    again = take(store, following)

    assert again.effect == ""
    third = retried(store, following, "UNKNOWN", act)
    clock.forward(1)
    assert take(store, third).effect == "doubt"


def test_the_time_of_a_key_that_was_certainly_not_sent_begins_with_the_next_claim(store: Store, clock: Any) -> None:
    act = effect("k", ttl=10 * MINUTE)
    key = ready(store, act)
    take(store, key)
    following = retried(store, key, "FAILED", act)
    clock.forward(3_600)  # nobody was there, or nobody could be reached

    assert take(store, following).effect == ""
    third = retried(store, following, "UNKNOWN", act)
    clock.forward(60 * 8 - 1)
    assert take(store, third).effect == ""
    fourth = retried(store, third, "UNKNOWN", act)
    clock.forward(1)
    assert take(store, fourth).effect == "doubt"


@pytest.mark.parametrize("other", [{"policy": "hold", "ttl": 0}, {"input_hash": "ff" * 32}])
def test_an_unknown_effect_is_in_doubt_when_it_may_not_be_sent_again(store: Store, other: dict[str, Any]) -> None:
    key = ready(store, effect("k"))
    take(store, key)
    following = retried(store, key, "UNKNOWN", effect("k", **other))

    held = take(store, following)

    assert held.effect == "doubt"
    assert [(again.key, again.effect) for again in store.adopt("s1")] == [(following, "doubt")]


def test_after_evidence_that_it_did_not_happen_the_next_attempt_may_send(store: Store) -> None:
    act = effect("k", policy="hold")
    key = ready(store, act)
    take(store, key)

    assert take(store, retried(store, key, "IN_DOUBT", act)).effect == ""


def test_a_recorded_business_key_is_reused_by_another_run_with_the_same_input(store: Store) -> None:
    act = effect("k", business_key="order-1")
    key = ready(store, act)
    take(store, key)
    store.record(record(key, outcome("k", result=b"paid", reference="re_1")))

    held = take(store, ready(store, act), "s2")

    assert (held.effect, held.result, held.reference) == ("reuse", b"paid", "re_1")
    assert [again[:4] for again in store.adopt("s2")] == [held[:4]]
    assert store.adopt("s2")[0].effect == "reuse"


def test_a_business_key_with_another_input_is_a_conflict(store: Store) -> None:
    key = ready(store, effect("k", business_key="order-1"))
    take(store, key)

    held = take(store, ready(store, effect("k", business_key="order-1", input_hash="ff" * 32)), "s2")
    assert held.effect == "conflict"
    store.record(record(key, outcome("k")))
    held = take(store, ready(store, effect("k", business_key="order-1", input_hash="ff" * 32)), "s3")
    assert held.effect == "conflict"
    assert store.adopt("s3")[0].effect == "conflict"


def test_a_business_key_that_another_run_holds_is_waited_for(store: Store, clock: Any) -> None:
    act = effect("k", business_key="order-1")
    holder = ready(store, act)
    take(store, holder)
    waiting = ready(store, act)

    held = take(store, waiting, "s2")

    assert (held.effect, held.deliveries) == ("wait", 0)
    assert store.adopt("s2") == []
    assert store.claim_one("s2", waiting) is None
    clock.forward(1)
    assert take(store, waiting, "s2").effect == "wait"
    store.record(record(holder, outcome("k", state="FAILED")))
    clock.forward(1)
    assert take(store, waiting, "s2").effect == ""


def test_racing_claims_of_one_business_key_have_one_winner(store: Store) -> None:
    act = effect("k", business_key="order-1")
    keys = [ready(store, act) for _ in range(4)]
    answers = []
    together = threading.Barrier(4)

    def race(key: TaskKey) -> None:
        together.wait()
        answers.append(take(store, key, key.run_id).effect)

    threads = [threading.Thread(target=race, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["", "wait", "wait", "wait"]


def test_a_session_is_live_until_it_ends_and_never_again(store: Store) -> None:
    store.open_session(session("s1", queues=("A@1", "B@2")))
    store.open_session(session("s2"))

    assert store.beat(["s1", "s2", "nobody"]) == {"s1", "s2"}
    store.end_session("s1", proof="")
    store.end_session("s2", proof="pid 7 is gone")
    store.open_session(session("s1"))

    assert store.beat(["s1", "s2"]) == frozenset()
    assert [row.session for row in store.sessions(["ENDED"])] == ["s1"]
    assert [row.session for row in store.sessions(["DEAD"])] == ["s2"]
    assert store.sessions(["ENDED"])[0].queues == ("A@1", "B@2")


def test_a_dead_sessions_task_is_claimed_by_another_worker(store: Store) -> None:
    store.open_session(session("s1"))
    key = ready(store, effect("k", policy="dedupes"))
    held = take(store, key)
    assert not store.requeue(key, held.token)
    assert store.held_by_dead(9) == []

    store.end_session("s1", proof="gone")
    (lost,) = store.held_by_dead(9)
    assert (lost.claimed.key, lost.claimed.token) == (key, 1)
    assert (lost.policy, lost.ttl, lost.sent_at) == ("dedupes", 60 * MINUTE, store.now())
    assert store.requeue(key, 1)
    assert not store.requeue(key, 1)

    again = take(store, key, "s2")
    assert (again.token, again.deliveries, again.effect) == (2, 2, "")
    assert store.record(record(key, outcome("k", token=1))) == (False, False)


def test_a_task_that_its_run_does_not_know_is_dropped_under_its_token(store: Store) -> None:
    key = ready(store)
    held = take(store, key)

    assert not store.drop_task(key, held.token + 1)
    assert store.drop_task(key, held.token)
    assert store.adopt("s1") == []


def test_a_late_start_expires_once_and_never_after_a_claim(store: Store, clock: Any) -> None:
    late, taken = (ready(store, start_by=store.now() + 1_000_000) for _ in range(2))
    assert store.late_starts(9) == []
    take(store, taken)
    clock.forward(1)

    assert store.late_starts(9) == [(late, QUEUE)]
    assert store.expire_start(late, mail(late.run_id, "late"))
    assert not store.expire_start(late, mail(late.run_id, "late"))
    assert not store.expire_start(taken, mail(taken.run_id, "late"))

    assert store.has_mail(late.run_id)
    assert not store.has_mail(taken.run_id)


def test_a_dead_sessions_effect_is_in_doubt_unless_its_outcome_was_recorded(store: Store) -> None:
    store.open_session(session("s1"))
    lost, known = ready(store, effect("lost", policy="hold")), ready(store, effect("known", policy="hold"))
    tokens = {key: take(store, key).token for key in (lost, known)}
    store.record(record(known, outcome("known")))
    store.end_session("s1", proof="gone")

    assert store.doubt(lost, tokens[lost], mail(lost.run_id, "doubt"))
    assert not store.doubt(lost, tokens[lost], mail(lost.run_id, "doubt"))
    assert not store.doubt(known, tokens[known], mail(known.run_id, "doubt"))

    assert store.has_mail(lost.run_id)
    assert [held.claimed.key for held in store.held_by_dead(9)] == [known]


def test_a_recorded_task_is_not_adopted_again(store: Store) -> None:
    key = ready(store, effect("k"))
    take(store, key)
    assert [held.key for held in store.adopt("s1")] == [key]

    store.record(record(key, outcome("k")))

    assert store.adopt("s1") == []


def test_whose_result_is_reused_is_told(store: Store) -> None:
    act = effect("k", business_key="order-1")
    key = ready(store, act)
    take(store, key)
    store.record(record(key, outcome("k", result=b"paid", reference="re_1")))

    held = take(store, ready(store, act), "s2")

    assert held.holder == f"{key.run_id}/{key.path}"
    assert store.adopt("s2")[0].holder == held.holder


def test_time_in_which_nobody_may_begin_a_task_is_none_that_it_has_to_begin_in(store: Store, clock: Any) -> None:
    held, free = (ready(store, start_by=store.now() + 10_000_000) for _ in range(2))
    for _ in range(3):  # a breaker that stays open, asked again and again
        token = take(store, held).token
        assert store.release("s1", held, token, pause=8_000_000)
        clock.forward(8)
        assert held not in [key for key, _ in store.late_starts(9)]
    assert [key for key, _ in store.late_starts(9)] == [free]

    clock.forward(9)
    assert held not in [key for key, _ in store.late_starts(9)]
    clock.forward(1)
    assert held in [key for key, _ in store.late_starts(9)]


def test_a_task_that_is_given_back_at_once_has_no_more_time_to_begin_than_before(store: Store, clock: Any) -> None:
    key = ready(store, start_by=store.now() + 10_000_000)
    assert store.release("s1", key, take(store, key).token)

    clock.forward(10)

    assert store.late_starts(9) == [(key, QUEUE)]
