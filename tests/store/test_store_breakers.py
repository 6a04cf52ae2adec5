"""The rows of breakers: shared, read with the clock, written over what was read and nothing else. Every store does the same."""

from __future__ import annotations

from typing import Any

from nexum.core.run.breaker import OPEN, Breaker
from nexum.store.api import Store


def test_one_that_nobody_has_written_is_closed(store: Store, clock: Any) -> None:
    assert store.breaker("default", "stripe.refund") == (Breaker("default", "stripe.refund"), clock.now)


def test_what_is_kept_is_read_back_with_the_next_revision(store: Store, clock: Any) -> None:
    row = Breaker(
        *("default", "払い戻し", OPEN, (1, 22, clock.now), 5, 30, 35, 1),
        *(OPEN, clock.now + 9, "mika", "it's \x00 down", clock.now, 0),
    )
    assert store.keep_breaker(row)
    clock.forward(1)
    kept, now = store.breaker("default", "払い戻し")

    assert now == clock.now
    assert kept == row._replace(revision=1, reason=kept.reason)
    assert "\x00" not in kept.reason
    assert store.keep_breaker(kept._replace(state="half_open", failures=()))
    assert store.breaker("default", "払い戻し")[0] == kept._replace(state="half_open", failures=(), revision=2)


def test_who_has_not_seen_a_change_does_not_write_over_it(store: Store) -> None:
    first = Breaker("default", "mail", failures=(1,))
    assert store.keep_breaker(first)

    assert not store.keep_breaker(first._replace(failures=(2,)))
    seen, _ = store.breaker("default", "mail")
    assert store.keep_breaker(seen._replace(failures=(1, 2)))
    assert not store.keep_breaker(seen._replace(failures=(1, 3)))
    assert store.breaker("default", "mail")[0].failures == (1, 2)


def test_tenants_share_no_breaker(store: Store) -> None:
    store.keep_breaker(Breaker("acme", "mail", state=OPEN))

    assert store.breaker("acme", "mail")[0].state == OPEN
    assert store.breaker("default", "mail")[0].revision == 0
