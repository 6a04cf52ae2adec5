"""Versions, snapshots, payloads, and what has been left lying."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from nexum.errors import InternalError
from nexum.store.api import NewTimer, Snapshot, Store
from store_rows import QUEUE, mail, name, start, task, version
from store_tables import rows_of, spoil_blobs


def test_the_newest_default_wins_and_there_is_one(store: Store, clock: Any) -> None:
    assert store.register(version("v1"), make_default=True)
    clock.forward(1)
    assert store.register(version("v2"), make_default=False)
    assert not store.register(version("v1"), make_default=False)
    assert store.default_version("Shop") == store.version("Shop", "v1")

    assert not store.register(version("v2"), make_default=True)

    found = store.default_version("Shop")
    assert found is not None
    assert (found.version, found.graph) == ("v2", b"{}")
    assert [(row.version, row.state) for row in store.versions("Shop")] == [("v2", "default"), ("v1", "active")]
    assert store.default_version("Other") is None
    assert [row.version for row in store.versions()] == ["v2", "v1"]


def test_a_snapshot_is_kept_only_if_it_is_newer(store: Store) -> None:
    head = start(store)
    newer, older = Snapshot(9, b"h", "2", b"\x00state"), Snapshot(5, b"g", "1", b"old")

    store.save_snapshot(head.run_id, newer)
    store.save_snapshot(head.run_id, older)

    assert store.snapshot(head.run_id) == newer


@pytest.mark.parametrize("size", [0, 1, 511, 512, 9000, 3_000_000])
def test_a_blob_is_found_by_its_hash_in_its_tenant(store: Store, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]

    hash_ = store.put_blob("default", data)

    assert hash_ == hashlib.sha256(data).hexdigest() == store.put_blob("default", data)
    assert store.blob("default", hash_) == data
    assert store.blob("other", hash_) is None


@pytest.mark.parametrize("size", [10, 9000])
def test_a_blob_that_changed_is_not_taken_for_what_was_kept(store: Store, size: int) -> None:
    hash_ = store.put_blob("default", b"x" * size)
    spoil_blobs(store)

    with pytest.raises(InternalError, match="NX-S101"):
        store.blob("default", hash_)


def test_putting_a_blob_again_touches_it(store: Store, clock: Any) -> None:
    store.put_blob("default", b"x")
    clock.forward(60)
    store.put_blob("default", b"x")

    assert [row["touched"] for row in rows_of(store, "nexum_blobs")] == [clock.now]


def test_old_mail_names_its_runs_oldest_first(store: Store, clock: Any) -> None:
    for run_id in ("late", "later", "fresh"):
        store.post(mail(run_id))
        clock.forward(10)

    assert store.old_mail(15_000_000, 9) == ["late", "later"]
    assert store.old_mail(15_000_000, 1) == ["late"]


def test_a_task_that_nobody_was_told_of_is_announced_ever_more_rarely(store: Store, clock: Any) -> None:
    run_id = name()
    start(store, task(run_id, "a"), task(run_id, "b", not_before=clock.now + 3_000_000))
    assert store.ready_untold(2_000_000, 9) == []

    announced = []
    for second in range(1, 20):
        clock.forward(1)
        announced += [(second, key.path) for key, queue in store.ready_untold(2_000_000, 9) if queue == QUEUE]

    assert announced == [(2, "a"), (5, "b"), (6, "a"), (9, "b"), (14, "a"), (17, "b")]


def test_due_timers_come_oldest_first(store: Store, clock: Any) -> None:
    timers = tuple(NewTimer(name, clock.now + wait) for name, wait in (("soon", 2), ("now", 0), ("never", 10**9)))
    head = start(store, set_timers=timers)
    clock.forward(1)

    assert [(due.run_id, due.timer) for due in store.due_timers(9)] == [(head.run_id, "now"), (head.run_id, "soon")]
