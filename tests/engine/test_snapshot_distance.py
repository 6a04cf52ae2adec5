"""How far apart snapshots are is a setting; what a run is does not depend on it."""

from __future__ import annotations

import pytest

from engine_driver import Driver
from graphs import compute, graph
from nexum.engine.loading import load
from nexum.store.api import Store

CHAIN = graph(compute("n0", "input"), *(compute(f"n{i}", f"n{i - 1}") for i in range(1, 60)))


@pytest.mark.parametrize(
    ("every", "steps", "kept"), [(50, 30, True), (100, 30, False), (100, 55, True), (1000, 55, False)]
)
@pytest.mark.parametrize("always_drain", [False, True])
def test_snapshots_are_as_far_apart_as_was_asked_for(
    store: Store, always_drain: bool, every: int, steps: int, kept: bool
) -> None:
    driver = Driver(store, snapshot_every=every, always_drain=always_drain)
    run_id = driver.start(CHAIN).run_id
    for _ in range(steps):  # two events each
        (work,) = driver.claim(CHAIN)
        driver.engine.finish(work, driver.execute(work), keep=False)

    found = store.snapshot(run_id)
    loads = [load(store, driver.engine.graphs, run_id, every=one) for one in (1, every, 10_000)]

    assert (found is not None and found.seq >= every) == kept
    assert [known.state if known else None for known in loads] == [driver.state(run_id)] * 3
