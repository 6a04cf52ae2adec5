"""Starting runs, reading them, and mail from outside: the same on both databases."""

from __future__ import annotations

import threading

import pytest

from nexum.errors import InputError, InternalError
from nexum.store.api import Store
from store_rows import advance, completed, mail, moved, name, start, start_row, task


def test_a_started_run_stands_where_its_last_event_stands(store: Store) -> None:
    row = start_row(subject="shop.Order:7")

    started = store.start(row)
    head = store.head(started.run_id)

    assert not started.existing
    assert head is not None
    assert (head.seq, head.hash) == (1, row.advance.new_hash)
    assert (head.workflow, head.version, head.status, head.trace) == ("Shop", "sha256:1", "RUNNING", "trace")
    assert list(store.events_after(head.run_id, 0)) == list(row.advance.events)


def test_a_run_key_starts_one_run(store: Store) -> None:
    first = store.start(start_row(run_key="order-1", input_hash="one"))
    again = store.start(start_row(run_key="order-1", input_hash="two"))

    assert again == (first.run_id, True, "one")


def test_two_racers_with_one_run_key_get_one_run(store: Store) -> None:
    answers = []
    together = threading.Barrier(4)

    def race() -> None:
        together.wait()
        answers.append(store.start(start_row(run_key="order-1")))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({answer.run_id for answer in answers}) == 1
    assert sorted(answer.existing for answer in answers) == [False, True, True, True]


def test_nothing_is_known_of_a_run_that_does_not_exist(store: Store) -> None:
    assert store.head("nobody") is None
    assert store.snapshot("nobody") is None
    assert store.payload("nobody", 1) is None
    assert list(store.events_after("nobody", 0)) == []


def test_a_fact_is_posted_once(store: Store) -> None:
    head = start(store)
    fact = mail(head.run_id, "signal-1")

    assert store.post(fact)
    assert not store.post(fact)
    assert store.has_mail(head.run_id)


def test_a_fact_that_stands_in_the_events_is_not_posted_again(store: Store) -> None:
    head = start(store)

    assert not store.post(mail(head.run_id, "start"))
    assert not store.has_mail(head.run_id)


def test_a_drain_sees_urgent_mail_first_and_takes_it(store: Store) -> None:
    head = start(store)
    for dedupe, urgency in (("b", 0), ("a", 0), ("cancel", -1)):
        store.post(mail(head.run_id, dedupe, priority=urgency, body=b"\x00\xff", payload=b"\x00"))

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        found = run.inbox()
        run.take([row.id for row in found])

    assert [row.mail.dedupe for row in found] == ["cancel", "b", "a"]
    assert (found[0].mail.body, found[0].mail.payload) == (b"\x00\xff", b"\x00")
    assert not store.has_mail(head.run_id)


def test_a_drain_of_a_run_that_does_not_exist_gives_nothing(store: Store) -> None:
    with store.drain("nobody", wait=True) as run:
        assert run is None


def test_a_drain_applies_several_advances(store: Store) -> None:
    head = start(store)

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, {"path": "a"}, new_tasks=(task(head.run_id),)))
        run.apply(advance(run.head, {"path": "b", "dedupe": "x"}))
        assert [event.seq for event in run.events_after(1)] == [2, 3]
        assert run.known(["x", "y", "start"]) == {"x", "start"}

    assert moved(store, head).seq == 3


def test_an_exception_in_a_drain_takes_everything_back(store: Store) -> None:
    head = start(store)
    store.post(mail(head.run_id))

    with pytest.raises(RuntimeError), store.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.take([row.id for row in run.inbox()])
        run.apply(advance(run.head, {"path": "a"}))
        raise RuntimeError

    assert moved(store, head) == head
    assert store.has_mail(head.run_id)


@pytest.mark.parametrize("wrong", [{"seq": 7}, {"hash": b"\x07" * 32}])
def test_an_advance_from_elsewhere_is_refused(store: Store, wrong: dict[str, object]) -> None:
    head = start(store)
    elsewhere = head._replace(**wrong)

    with pytest.raises(InternalError, match="NX-S106"), store.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.apply(advance(elsewhere, {"path": "a"}))

    assert moved(store, head) == head


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"type": "NodeCompleted", "path": "a"}, {"type": "NodeFailed", "path": "a"}),
        ({"type": "RunFailed", "path": ""}, {"type": "RunCompleted", "path": "x"}),
        ({"dedupe": "one"}, {"dedupe": "one", "path": "b"}),
    ],
)
def test_the_guards_refuse_a_second_end_and_a_second_fact(
    store: Store, first: dict[str, str], second: dict[str, str]
) -> None:
    head = start(store)

    with pytest.raises(InternalError, match="NX-S105"), store.drain(head.run_id, wait=True) as run:  # noqa: PT012
        assert run is not None
        run.apply(advance(run.head, first, second))

    assert moved(store, head) == head


def test_mail_that_cannot_be_folded_is_buried_and_late_mail_kept(store: Store) -> None:
    head = start(store)
    for dedupe in ("dead", "late"):
        store.post(mail(head.run_id, dedupe))

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        dead, late = run.inbox()
        run.bury(dead, "it said \x00 \ud800")
        run.keep_late(late)

    assert not store.has_mail(head.run_id)


def test_ready_tasks_are_cancelled_and_claimed_ones_are_not(store: Store) -> None:
    run_id = name()
    head = start(store, task(run_id, "a"), task(run_id, "b"))
    ready, held = task(run_id, "a").key, task(run_id, "b").key
    assert store.claim_one("s1", held)

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        assert run.cancel_ready([ready, held]) == {ready}

    assert store.claim_one("s1", ready) is None


def test_a_closed_run_has_no_tasks_and_no_timers(store: Store) -> None:
    run_id = name()
    head = start(store, task(run_id, "a"))

    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, {"type": "RunTerminated", "path": ""}, status="TERMINATED", closed=True))

    assert store.claim_one("s1", task(run_id, "a").key) is None
    assert moved(store, head).status == "TERMINATED"


def test_payloads_of_events_are_read_by_number(store: Store) -> None:
    run_id = name()
    key = task(run_id).key
    head = start(store, task(run_id))
    with store.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, completed(key, b'{"\x00": 1}')))

    assert store.payload(run_id, 2) == b'{"\x00": 1}'
    assert store.payload(run_id, 9) is None


def test_a_text_that_no_column_holds_is_refused_by_name(store: Store) -> None:
    head = start(store)

    with pytest.raises(InputError, match=r"NX-S107.*the text .*half \\ud800.* cannot be stored: it holds half of"):
        store.post(mail(head.run_id, "half \ud800"))
