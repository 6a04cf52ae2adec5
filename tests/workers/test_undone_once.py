"""Real workers undo what a run did, one of them is killed in the middle, and the provider's ledger is the judge."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fleet import ROOMS, Fleet
from nexum.testing.fakes import Fake, running
from waiting import until

SOON = 30
PLACES = ("car", "flight", "hotel")


@pytest.fixture
def pay(fleet: Fleet) -> Iterator[Fake]:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl")) as fake:
        yield fake


def undone(ledger: list[dict[str, Any]]) -> list[str]:
    """What the provider undid, in order, by what it had done."""
    made = {act["id"]: act["body"]["subject"] for act in ledger}
    acts = (
        act["body"]["subject"].removeprefix("undo ") for act in ledger if act["body"]["subject"].startswith("undo ")
    )
    return [made[act] for act in acts]


def test_bookings_are_undone_once_although_a_worker_is_killed_in_the_middle_of_an_undo(fleet: Fleet, pay: Fake) -> None:
    armed = f"effect.after_response:node=car/undo,limit=1,file={fleet.folder / 'marker'}"
    fleet.worker(processes=2, env={"NEXUM_CRASH": armed, "PROVIDER": pay.url})
    with fleet.sweeping():
        run = fleet.start("Trip", "t", how="refused")

        until(lambda: fleet.status(run) == "FAILED", SOON)

    assert (fleet.folder / "marker.1").exists()  # it was killed, after the provider had undone the car
    assert sorted(undone(pay.get("/ledger"))) == list(PLACES)
    assert len(pay.get("/requests")) == 7  # the undo of the car was sent twice, under one key
    end = fleet.store.events_after(run, 0)[-1]
    assert (end.type, b'"undone":"all"' in end.body) == ("RunFailed", True)


def test_a_running_run_is_cancelled_from_the_command_line_and_undoes_what_comes_late_first(
    fleet: Fleet, pay: Fake
) -> None:
    fleet.worker(processes=2, env={"PROVIDER": pay.url})
    with fleet.sweeping():
        goes_on = fleet.folder / "goes-on"
        run = fleet.start("Trip", "t", how=str(goes_on))
        until(lambda: fleet.acts("charge"), SOON)

        said = subprocess.run(
            [sys.executable, "-m", "nexum", "cancel", run, "--reason", "withdrawn", "--database", fleet.url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(ROOMS)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        goes_on.touch()
        until(lambda: fleet.status(run) == "CANCELLED", SOON)
    assert "the run is CLOSING" in said
    order = undone(pay.get("/ledger"))
    assert (order[0], sorted(order[1:])) == ("charge", list(PLACES))
