"""A result that is not its effect's own any more: kept as evidence, and told to its run once."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.store.api import NewTask, Record, SettledEffect, Store
from store_rows import advance, completed, effect, name, outcome, record, session, start, task
from store_tables import rows_of


def overtaken(store: Store, **more: Any) -> tuple[NewTask, Record]:
    """A task that another session has taken over, and what its first session says of it."""
    store.open_session(session("s1"))
    made = task(name(), effect=effect("k"))
    start(store, made)
    first = store.claim_one("s1", made.key)
    assert first is not None
    store.end_session("s1", proof="believed dead")
    assert store.requeue(made.key, first.token)
    assert store.claim_one("s2", made.key) is not None
    said = record(
        made.key, outcome("k", token=first.token, result=b"late", reference="re_late", **more), token=first.token
    )
    return made, said


def step(store: Store, made: NewTask, said: Record) -> bool:
    """As a step; whether it was recorded."""
    head = store.head(made.key.run_id)
    assert head is not None
    return store.step(said, advance(head, completed(made.key), drop_tasks=(made.key,))).recorded


@pytest.mark.parametrize("how", ["record", "step", "chain"])
def test_a_late_result_is_evidence_and_a_fact_of_its_own(store: Store, how: str) -> None:
    made, said = overtaken(store)

    if how == "record":
        recorded = store.record(said).recorded
    elif how == "step":
        recorded = step(store, made, said)
    else:
        head = store.head(made.key.run_id)
        assert head is not None
        more = task(made.key.run_id, "b")
        moves = advance(
            head, completed(made.key), {"type": "NodeScheduled", "path": "b"}, drop_tasks=(made.key,), new_tasks=(more,)
        )
        recorded = store.step(said, moves).recorded

    assert not recorded
    (evidence,) = rows_of(store, "nexum_effect_evidence")
    assert (evidence["state"], evidence["reference"], bytes(evidence["result"])) == ("APPLIED", "re_late", b"late")
    (mail,) = rows_of(store, "nexum_inbox")
    assert mail["dedupe"] == f"late|{said.token}|{said.mail.dedupe}"
    assert (mail["run_id"], mail["type"], bytes(mail["body"])) == (made.key.run_id, said.mail.type, said.mail.body)
    assert bytes(mail["payload"]) == said.mail.payload


def test_it_is_told_once_however_often_it_is_reported(store: Store) -> None:
    made, said = overtaken(store)

    store.record(said)
    store.record(said)
    step(store, made, said)

    assert len(rows_of(store, "nexum_inbox")) == len(rows_of(store, "nexum_effect_evidence")) == 1


def test_it_is_not_told_again_when_the_run_has_folded_it(store: Store) -> None:
    made, said = overtaken(store)
    store.record(said)
    head = store.head(made.key.run_id)
    assert head is not None
    dedupe = f"late|{said.token}|{said.mail.dedupe}"
    with store.drain(made.key.run_id, wait=True) as held:
        assert held is not None
        held.apply(advance(head, {"type": "Ignored", "dedupe": dedupe}))
        held.take([row.id for row in held.inbox()])

    store.record(said)

    assert rows_of(store, "nexum_inbox") == []


@pytest.mark.parametrize("state", ["FAILED", "UNKNOWN"])
def test_a_late_failure_is_evidence_only(store: Store, state: str) -> None:
    _, said = overtaken(store, state=state)

    assert not store.record(said).recorded

    assert [row["state"] for row in rows_of(store, "nexum_effect_evidence")] == [state]
    assert rows_of(store, "nexum_inbox") == []


def test_what_a_run_takes_of_a_late_result_ends_the_claim_that_was_under_way(store: Store) -> None:
    made, _ = overtaken(store)
    head = store.head(made.key.run_id)
    assert head is not None
    with store.drain(made.key.run_id, wait=True) as held:
        assert held is not None
        settled = SettledEffect("k", "APPLIED", b"late", "aa", "re_late")
        held.apply(advance(head, completed(made.key), settled=(settled,)))

    (row,) = rows_of(store, "nexum_effects")
    assert (row["state"], row["reference"]) == ("APPLIED", "re_late")
    assert not store.record(record(made.key, outcome("k", token=2, reference="re_heir"), token=2)).recorded


def test_what_a_person_gives_up_does_not_end_a_claim_that_is_under_way(store: Store) -> None:
    made, _ = overtaken(store)
    head = store.head(made.key.run_id)
    assert head is not None
    with store.drain(made.key.run_id, wait=True) as held:
        assert held is not None
        held.apply(advance(head, completed(made.key), settled=(SettledEffect("k", "UNKNOWN"),)))

    assert [row["state"] for row in rows_of(store, "nexum_effects")] == ["CLAIMED"]
