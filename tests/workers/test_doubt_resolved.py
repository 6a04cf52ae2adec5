"""A worker that died after sending, a person who decides, and a worker that goes on."""

from __future__ import annotations

import pytest

from fleet import Fleet
from nexum.client.doubts import Decision, resolve
from nexum.core.run.events import Cell
from waiting import until

SOON = 20


@pytest.mark.parametrize(("outcome", "sent"), [("did_not_happen", 2), ("happened", 1)])
def test_a_run_in_doubt_goes_on_with_what_a_person_found_out(fleet: Fleet, outcome: str, sent: int) -> None:
    armed = f"effect.after_response:limit=1,file={fleet.folder / 'marker'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed})
    with fleet.sweeping():
        run = fleet.start("Held", "w")
        until(lambda: "EffectInDoubt" in fleet.events(run), SOON)
        given = {"response": {"name": "by hand", "pid": 1}} if outcome == "happened" else {}
        decision = Decision(run, Cell("wire"), outcome, "mika", "seen in the bank's console", **given)  # type: ignore[arg-type]

        resolve(fleet.store, decision, doorbell=fleet.doorbell)

        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    made = fleet.acts("wire")
    assert len(made) == sent
    assert len({line[4] for line in made}) == 1  # one key, however often it was sent
    assert fleet.events(run).count("DoubtResolved") == 1
