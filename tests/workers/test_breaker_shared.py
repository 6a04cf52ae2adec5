"""A provider that fails, two real workers, and one breaker: it is left alone, and nothing is lost or done twice by that."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from errands import GUARD
from fleet import Fleet
from nexum.testing.fakes import Fake, running
from waiting import until

SOON = 15
RUNS = 8
TOOL = "guarded.refund"


@pytest.fixture
def pay(fleet: Fleet) -> Iterator[Fake]:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl")) as fake:
        fake.post("/rules", [{"mode": "503-before", "path": "/refunds"}])
        yield fake


@pytest.mark.parametrize("fleet", ["postgres"], indirect=True)
def test_two_workers_leave_a_failing_provider_alone_and_every_run_ends_when_it_is_back(fleet: Fleet, pay: Fake) -> None:
    first = fleet.worker(processes=1, env={"PROVIDER": pay.url})
    with fleet.sweeping():
        runs = [fleet.start("Guarded", f"o-{number}") for number in range(RUNS)]
        until(lambda: fleet.store.breaker("default", TOOL)[0].state == "open", SOON)
        fleet.worker(processes=1, env={"PROVIDER": pay.url})
        until(lambda: len(fleet.sessions()) == 2, SOON)
        first.terminate()
        fleet.ended(first, SOON)
        (heir,) = fleet.sessions()
        until(lambda: str(heir.pid) in [line[2] for line in fleet.acts("repaid")], SOON)  # its probe fails, too

        until(lambda: fleet.store.breaker("default", TOOL)[0].state == "open", SOON)
        pay.post("/rules", [])
        until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)

    refused = sum(asked["mode"] == "503-before" for asked in pay.get("/requests"))
    asked = sorted(fleet.acts("repaid"), key=lambda line: float(line[3]))[:refused]
    times = [float(line[3]) for line in asked]
    assert refused > GUARD.failures
    assert all(later - sooner > 0.8 for sooner, later in pairwise(times[GUARD.failures - 1 :])), [
        line[1:4] for line in fleet.acts("repaid")
    ]  # one probe in each pause
    assert len({line[2] for line in asked}) == 2  # of two processes, of which the second has counted nothing itself
    failed = sum(fleet.events(run).count("AttemptFailed") for run in runs)
    assert failed == refused  # whoever waited lost no attempt
    assert sorted(act["body"]["order_id"] for act in pay.get("/ledger")) == [f"o-{number}" for number in range(RUNS)]
    assert fleet.store.breaker("default", TOOL)[0].state == "closed"
