"""Somebody has looked into what may have been done twice: the alarm ends, the history keeps both."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nexum.client.interventions import By
from nexum.client.suspicions import acknowledge
from nexum.errors import ConflictError, InputError
from nexum.readouts.doubt import read_doubt, read_doubts
from nexum.readouts.run import read_run
from nexum.store.connect import open_store
from nexum.store.django import migrate
from nexum.store.verbs import Verbs
from nexum.testing.samples import CLAIM, HOUR, REFUND, Clock, Stage, refund_graph
from store_tables import rows_of
from troubled import act_twice

MIKA = By("mika", "the second charge was refunded by hand")


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A shop that refunds, on a database of its own."""
    address = f"sqlite:///{tmp_path_factory.mktemp('twice') / 'runs.sqlite3'}"
    migrate(address)
    clock = Clock(time.time_ns() // 1000 - HOUR)
    made = Stage(open_store(address, clock=clock), clock)
    made.register(refund_graph())
    made.open(made.session, refund_graph().queue, lease=10**15)
    yield made
    made.store.close()


def refunded(stage: Stage, until: str = "") -> tuple[Verbs, str, str]:
    """A run whose refund is recorded under one reference and came under another one; its store, its id, the effect's key."""
    run_id = stage.begin("RefundAgent", CLAIM, name="twice")
    stage.play(refund_graph().queue, REFUND, until=until)
    assert isinstance(stage.store, Verbs)
    return stage.store, run_id, act_twice(stage.store, run_id, "refund")


def test_an_acknowledgement_is_an_event_of_an_open_run_and_ends_the_alarm(stage: Stage) -> None:
    store, run_id, key = refunded(stage, until="letter")
    alarmed = read_doubts(store)

    acknowledge(store, key, MIKA)

    listed, detail, page = (
        read_doubts(store),
        read_doubt(store, key, may_read=True),
        read_run(store, run_id, may_read=True),
    )
    (event,) = [row for row in store.events_after(run_id, 0) if row.type == "DuplicateAcknowledged"]
    assert (alarmed.alarms, alarmed.acknowledged) == (1, 0)
    assert (listed.alarms, listed.acknowledged) == (0, 1)
    assert (event.actor, event.path) == ("mika", "refund")
    assert detail is not None
    assert page is not None
    assert detail.alarms == ()
    assert [(view.actor, view.reason) for view in page.suspected] == [("mika", MIKA.reason)]
    assert ("what came too late was looked into", MIKA.reason) in [(m.what, m.detail) for m in detail.evidence]


def test_a_run_that_has_ended_keeps_an_acknowledgement_beside_its_history(stage: Stage) -> None:
    store, run_id, key = refunded(stage)
    before = [row.type for row in store.events_after(run_id, 0)]

    acknowledge(store, key, MIKA)

    (late,) = rows_of(store, "nexum_late_arrivals")
    assert (late["type"], late["actor"], late["run_id"]) == ("DuplicateAcknowledged", "mika", run_id)
    assert [row.type for row in store.events_after(run_id, 0)] == before
    assert read_doubts(store).alarms == 0


def test_another_late_result_is_another_alarm(stage: Stage) -> None:
    store, run_id, key = refunded(stage)
    acknowledge(store, key, MIKA)

    act_twice(store, run_id, "refund", reference="re_third", at=9)

    suspected = read_doubts(store).suspected
    assert [(view.reference, view.actor) for view in suspected] == [("re_third", ""), ("re_second", "mika")]


def test_what_is_acknowledged_already_or_not_suspected_is_refused(stage: Stage) -> None:
    store, _, key = refunded(stage)
    acknowledge(store, key, MIKA)

    with pytest.raises(ConflictError, match="mika has acknowledged it already") as again:
        acknowledge(store, key, By("ken", "me too"))
    with pytest.raises(ConflictError, match="nothing tells") as nothing:
        acknowledge(store, "nx1-0", MIKA)

    assert (again.value.code, nothing.value.code) == ("NX-E232", "NX-E232")


@pytest.mark.parametrize("by", [By("mika", " "), By("", "looked"), By("mika", "x" * 2_001)])
def test_nobody_acknowledges_without_a_name_and_a_reason(stage: Stage, by: By) -> None:
    store, _, key = refunded(stage)

    with pytest.raises(InputError) as error:
        acknowledge(store, key, by)

    assert error.value.code == "NX-E401"
    assert read_doubts(store).alarms == 1
