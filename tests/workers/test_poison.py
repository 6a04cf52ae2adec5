"""A handler that ends its process whenever it is tried: it is left alone in the end, and its neighbours do not suffer."""

from __future__ import annotations

from fleet import Fleet
from nexum.readouts.dead import read_dead
from nexum.store.verbs import Verbs
from waiting import until

SOON = 30
DELIVERIES = 5  # `poison_after`, as a sweeper has it by default


def test_a_task_that_kills_its_workers_is_quarantined_and_its_neighbours_end(fleet: Fleet) -> None:
    fleet.worker()
    with fleet.sweeping():
        poison = fleet.start("Hazards", "p", how="poison")
        beside = [fleet.start("Hazards", f"h{number}", how="hold", seconds=0.05) for number in range(10)]
        chains = [fleet.start("Chain", f"c{number}") for number in range(5)]
        until(lambda: fleet.status(poison) == "FAILED", SOON)
        until(lambda: all(fleet.status(run) == "COMPLETED" for run in (*beside, *chains)), SOON)
    tried = [line for line in fleet.acts("hazard") if line[1] == "p"]

    assert len(tried) == len({line[2] for line in tried}) == DELIVERIES
    assert isinstance(fleet.store, Verbs)
    (group,) = read_dead(fleet.store).groups
    assert (group.code, group.poison, group.count) == ("NX-R206", True, 1)
    assert f"killed its worker process {DELIVERIES} times" in group.message
