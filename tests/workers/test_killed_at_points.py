"""A worker is killed at each named point of an attempt; the run ends all the same, and the effect keeps its key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import fresh_sqlite
from fleet import Fleet
from waiting import until

SOON = 40


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Workers on SQLite: where a process dies does not depend on the database."""
    made = Fleet(fresh_sqlite(tmp_path), tmp_path)
    yield made
    made.close()


SENT_ONCE = ["worker.before_session", "claim.after_commit", "handler.before_call", "effect.after_guard"]
SENT_TWICE = ["effect.after_response", "effect.before_record_commit", "step.before_commit:node=third"]
RECORDED = ["effect.after_record_commit", "step.after_commit:node=third"]


@pytest.mark.parametrize(
    ("point", "sent"),
    [(point, 1) for point in SENT_ONCE] + [(point, 2) for point in SENT_TWICE] + [(point, 1) for point in RECORDED],
)
def test_a_run_survives_a_kill_at(fleet: Fleet, point: str, sent: int) -> None:
    name, _, words = point.partition(":")
    armed = f"{name}:limit=1,file={fleet.folder / 'marker'}" + (f",{words}" if words else "")
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed})
    with fleet.sweeping():
        run = fleet.start("Chain", "e")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    until((fleet.folder / "marker.1").exists, SOON)  # what is killed after its commit dies when the run has ended
    made = fleet.acts("third")
    assert len(made) == sent
    assert len({line[4] for line in made}) == 1  # the provider would have seen one act
    assert fleet.events(run).count("NodeCompleted") == 3


def test_a_run_goes_on_when_the_answer_to_a_step_is_lost_together_with_the_claim_it_made(fleet: Fleet) -> None:
    armed = f"step.after_commit:mode=raise,node=first,file={fleet.folder / 'marker'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed})
    run = fleet.start("Chain", "e")
    until(lambda: fleet.status(run) == "COMPLETED", SOON)  # nobody died, so nobody else would ever take it up
    assert (fleet.folder / "marker.1").exists()
    assert len(fleet.acts("third")) == 1


def test_an_effect_without_a_promise_of_its_provider_is_held_when_its_worker_is_killed_after_sending(
    fleet: Fleet,
) -> None:
    armed = f"effect.after_response:limit=1,file={fleet.folder / 'marker'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed})
    with fleet.sweeping():
        run = fleet.start("Held", "w")
        until(lambda: "EffectInDoubt" in fleet.events(run), SOON)
    assert len(fleet.acts("wire")) == 1
