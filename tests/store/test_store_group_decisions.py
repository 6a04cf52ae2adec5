"""What is read for groups of dead letters and for doubts that wait for a second person, on each database."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import nexum.readouts.dead as dead_module
import nexum.readouts.letters as members_module
import nexum.store.deadletters as letters_module
from nexum.client.deadletters import GroupDecision, decide
from nexum.client.doubts import Decision, resolve
from nexum.client.interventions import By, fail
from nexum.client.suspicions import acknowledge
from nexum.core.run.events import Cell
from nexum.errors import NexumError
from nexum.readouts.dead import read_dead, read_group
from nexum.readouts.doubt import read_doubts
from nexum.readouts.letters import find_members
from nexum.store.connect import open_store
from nexum.store.deadletters import letters
from nexum.store.verbs import Verbs
from nexum.testing.samples import HOUR, Clock, Stage
from troubled import REFUSED, act_twice, doubt, park, parking, paying


@pytest.fixture
def stage(url: str) -> Iterator[Stage]:
    """An engine on an empty database."""
    clock = Clock(time.time_ns() // 1000 - HOUR)
    made = Stage(open_store(url, clock=clock), clock)
    yield made
    made.store.close()


def fail_for_good(stage: Stage, name: str) -> str:
    """A run that has failed, and ended."""
    graph = paying("Ended")
    stage.register(graph)
    stage.open(f"worker-of-{graph.workflow}", graph.queue, lease=10**15)
    run_id = stage.begin(graph.workflow, {"order": name}, name=name)
    stage.play(graph.queue, {"pay": [REFUSED]})
    return run_id


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

    found = read_group(store, find_members(store, group.fingerprint), may_read=True)

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


def test_whoever_names_a_group_means_all_that_waits_however_much_has_failed_since(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    old = [park(stage, parking("Payout"), f"p-{number}") for number in range(3)]
    (group,) = read_dead(store).groups
    new = [fail_for_good(stage, f"f-{number}") for number in range(2)]
    monkeypatch.setattr(members_module, "READ", 2)  # the newest two are those that have ended
    monkeypatch.setattr(dead_module, "MEMBERS", 2)
    monkeypatch.setattr(letters_module, "PAGE", 2)

    parked = find_members(store, group.fingerprint).parked
    begun = find_members(store, group.fingerprint[:5], whole=False)
    detail = read_group(store, begun, may_read=True)

    assert {letter.run_id for letter in letters(store, limit=2)} == set(new)
    assert [letter.run_id for letter in parked] == old[::-1]
    assert (begun.tenant, begun.fingerprint, begun.parked) == ("default", group.fingerprint, parked)
    assert (detail.group.count, detail.group.parked, len(detail.members)) == (3, 3, 2)


def test_what_waits_is_listed_before_what_has_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    waits = park(stage, parking("Payout"), "waits")
    ended = [park(stage, parking("Payout"), f"ended-{number}") for number in range(2)]
    (group,) = read_dead(store).groups
    for run_id in ended:
        fail(store, run_id, Cell("pay"), By("mika", "nobody pays this"))
    monkeypatch.setattr(dead_module, "MEMBERS", 2)

    groups = {one.parked: one for one in read_dead(store).groups}
    detail = read_group(store, find_members(store, group.fingerprint), may_read=True)

    assert groups[1].fingerprint == group.fingerprint
    assert (detail.members[0].run_id, detail.members[0].parked) == (waits, True)


def test_the_same_failure_of_two_tenants_is_told_apart_by_the_tenant(stage: Stage) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    runs = {tenant: park(stage, parking("Payout"), f"of-{tenant}", tenant) for tenant in ("default", "acme")}
    (name,) = {group.fingerprint for group in read_dead(store).groups}
    with pytest.raises(NexumError) as several:
        find_members(store, name)
    with pytest.raises(NexumError) as nobody:
        find_members(store, name, tenant="nobody")
    found = {tenant: find_members(store, name, tenant=tenant) for tenant in runs}
    decide(store, GroupDecision("acme", name, "acknowledge", "mika", "known"))

    assert (several.value.code, "acme" in several.value.message) == ("NX-F111", True)
    assert "--tenant" in several.value.fixes[0]
    assert nobody.value.code == "NX-R441"
    assert {tenant: [one.run_id for one in each.parked] for tenant, each in found.items()} == {
        tenant: [run_id] for tenant, run_id in runs.items()
    }
    assert read_group(store, found["acme"], may_read=True).group.state == "acknowledged"
    assert read_group(store, found["default"], may_read=True).group.state == "open"
