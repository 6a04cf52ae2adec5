"""What a list and a page of doubts say about each policy, and about what a provider has answered."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nexum.core.graph.policies import Dedupes
from nexum.readouts.doubt import read_doubt, read_doubts
from nexum.store.connect import open_store
from nexum.store.django import migrate
from nexum.store.verbs import Verbs
from nexum.testing.samples import HOUR, MINUTE, Clock, Stage
from troubled import ABSENT, UNSURE, asking, calls_in_doubt, doubt, paying


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An engine on a database of its own."""
    address = f"sqlite:///{tmp_path_factory.mktemp('doubts') / 'runs.sqlite3'}"
    migrate(address)
    clock = Clock(time.time_ns() // 1000 - HOUR)
    made = Stage(open_store(address, clock=clock), clock)
    yield made
    made.store.close()


def told(stage: Stage, run_id: str, *, may_read: bool = True) -> list[tuple[str, str]]:
    """The evidence about the one effect of a run."""
    assert isinstance(stage.store, Verbs)
    (line,) = [line for line in read_doubts(stage.store).effects if line.run_id == run_id]
    found = read_doubt(stage.store, line.key, may_read=may_read)
    assert found is not None
    return [(moment.what, moment.detail) for moment in found.evidence]


def test_a_list_names_the_policy_of_each_effect(stage: Stage) -> None:
    assert isinstance(stage.store, Verbs)
    doubt(stage, paying("Held"), "held")
    doubt(stage, paying("Same", doubt=Dedupes(ttl=HOUR)), "same")
    doubt(stage, asking("Asked"), "asked")
    calls_in_doubt(stage.store)

    lines = read_doubts(stage.store).effects

    assert {line.workflow: line.policy for line in lines} == {
        "Held": "hold",
        "Same": "dedupes",
        "Asked": "asks",
        "Calls": "hold",
    }
    assert {line.workflow: line.call for line in lines if line.call} == {"Calls": "late"}


def test_why_a_provider_cannot_tell_is_evidence_for_those_who_may_read_payloads(stage: Stage) -> None:
    run_id = doubt(stage, asking("Asked"), "asked", UNSURE)

    assert told(stage, run_id)[-1] == ("provider asked: cannot tell", "the list of refunds is incomplete before 02:00")
    assert told(stage, run_id, may_read=False)[-1] == ("provider asked: cannot tell", "")


def test_an_answer_that_nothing_was_found_is_evidence_and_needs_no_words(stage: Stage) -> None:
    run_id = doubt(stage, asking("Asked"), "asked", ABSENT)
    stage.clock.pass_by(MINUTE)

    assert ("provider asked: not found", "") in told(stage, run_id)
