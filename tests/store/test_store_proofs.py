"""How sessions end, and what is known of it later: a lease that ran out proves nothing, a death that was seen does."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.store.api import Store, TaskKey
from nexum.store.shapes import EXPIRED, LATER, SILENCE, Proven
from store_rows import effect, mail, name, session, start, task
from store_tables import rows_of

GUESS, GONE, SEEN = f"{EXPIRED}watched 3 beats", f"{SILENCE}process 7 is gone", "parent 1 saw child 2 die of SIGKILL"


def doubted(store: Store, proof: str, who: str = "s1") -> TaskKey:
    """An effect in doubt whose sender's session has ended with this proof."""
    store.open_session(session(who))
    made = task(name(), effect=effect(name("key"), policy="hold"))
    start(store, made)
    held = store.claim_one(who, made.key)
    assert held is not None
    store.end_session(who, proof=proof)
    assert store.doubt(made.key, held.token, mail(made.key.run_id))
    return made.key


def session_row(store: Store, who: str = "s1") -> dict[str, Any]:
    (row,) = [row for row in rows_of(store, "nexum_sessions") if row["session"] == who]
    return row


@pytest.mark.parametrize(
    ("proof", "silent", "expired"), [(GUESS, True, True), (GONE, True, False), (SEEN, False, False), ("", False, False)]
)
def test_what_is_held_by_the_dead_says_how_sure_that_is_and_since_when(
    store: Store, clock: Any, proof: str, silent: bool, expired: bool
) -> None:
    store.open_session(session("s1"))
    made = task(name(), effect=effect("k"))
    start(store, made)
    store.claim_one("s1", made.key)
    claimed_at = clock.now
    clock.forward(3)
    store.end_session("s1", proof=proof)

    (held,) = store.held_by_dead(9)

    assert (held.silent, held.expired) == (silent, expired)
    assert (held.claimed_at, held.ended_at) == (claimed_at, clock.now)


def test_a_death_that_is_seen_after_a_lease_ran_out_stands_instead_of_the_guess(store: Store, clock: Any) -> None:
    key = doubted(store, GUESS)
    clock.forward(5)

    store.end_session("s1", proof=SEEN)

    row = session_row(store)
    assert (row["state"], row["proof"], row["ended_at"]) == ("DEAD", f"{LATER}{SEEN}", clock.now)
    assert store.proven_dead(9) == [Proven(key, clock.now)]


@pytest.mark.parametrize(("first", "second"), [(GUESS, GUESS), (GUESS, GONE), (GUESS, ""), (SEEN, GONE), (GONE, SEEN)])
def test_every_other_second_word_changes_nothing(store: Store, clock: Any, first: str, second: str) -> None:
    doubted(store, first)
    before = session_row(store)
    clock.forward(5)

    store.end_session("s1", proof=second)

    assert session_row(store) == before
    assert store.proven_dead(9) == []


def test_an_effect_that_more_than_one_process_has_sent_is_not_proven_by_the_death_of_one(store: Store) -> None:
    store.open_session(session("s0"))
    made = task(name(), effect=effect("k"))
    start(store, made)
    first = store.claim_one("s0", made.key)
    assert first is not None
    store.end_session("s0", proof=GUESS)
    assert store.requeue(made.key, first.token)
    store.open_session(session("s1"))
    second = store.claim_one("s1", made.key)
    assert second is not None
    store.end_session("s1", proof=GUESS)
    assert store.doubt(made.key, second.token, mail(made.key.run_id))

    store.end_session("s1", proof=SEEN)

    assert store.proven_dead(9) == []
