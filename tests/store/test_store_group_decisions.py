"""What is read for groups of dead letters and for doubts that wait for a second person, on each database."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nexum.client.deadletters import GroupDecision, decide
from nexum.client.doubts import Decision, resolve
from nexum.client.interventions import By
from nexum.client.suspicions import acknowledge
from nexum.core.run.events import Cell
from nexum.readouts.dead import read_dead, read_group
from nexum.readouts.doubt import read_doubts
from nexum.store.connect import open_store
from nexum.store.verbs import Verbs
from nexum.testing.samples import HOUR, Clock, Stage
from troubled import act_twice, doubt, park, parking, paying


@pytest.fixture
def stage(url: str) -> Iterator[Stage]:
    """An engine on an empty database."""
    clock = Clock(time.time_ns() // 1000 - HOUR)
    made = Stage(open_store(url, clock=clock), clock)
    yield made
    made.store.close()


def test_decisions_about_a_group_are_kept_in_order_and_found_again(stage: Stage) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    graph = parking("Payout")
    park(stage, graph, "p-1")
    (group,) = read_dead(store).groups
    for what, value in (("acknowledge", ""), ("assign", "ken"), ("fixed", graph.version)):
        decide(store, GroupDecision("default", group.fingerprint, what, "mika", "known", value))
    stage.clock.pass_by(HOUR)
    park(stage, graph, "p-2")

    found = read_group(store, group.fingerprint, may_read=True)

    assert found is not None
    assert [(made.what, made.value) for made in found.decisions] == [
        ("acknowledge", ""),
        ("assign", "ken"),
        ("fixed", graph.version),
    ]
    assert (found.group.state, found.group.assigned, found.group.count) == ("regressed", "ken", 2)


def test_who_has_decided_first_and_who_has_looked_into_what_came_late_is_found(stage: Stage) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    run_id = doubt(stage, paying("Half"), "half")
    resolve(store, Decision(run_id, Cell("pay"), "abandon", "mika", "nobody can tell"), four_eyes=("*",))
    other = doubt(stage, paying("Twice"), "twice")
    resolve(store, Decision(other, Cell("pay"), "happened", "mika", "seen", "re_1", {"id": "re_1"}))
    acknowledge(store, act_twice(store, other, "pay"), By("mika", "a test of the provider"))

    found = read_doubts(store)

    assert [(line.run_id, line.proposed) for line in found.effects] == [(run_id, "mika")]
    assert [(view.reference, view.actor, view.reason) for view in found.suspected] == [
        ("re_second", "mika", "a test of the provider")
    ]
