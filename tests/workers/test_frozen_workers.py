"""A worker that stands still for longer than its attempt may last, and wakes with the provider's answer in its hands."""

from __future__ import annotations

import os
import signal

from fleet import Fleet
from waiting import until

SOON = 20


def test_an_answer_that_a_frozen_worker_held_is_the_result_although_its_time_is_long_over(fleet: Fleet) -> None:
    worker = fleet.worker(processes=1, settings={"lease_seconds": 2})
    fleet.scheduler(lease_seconds=2)
    run = fleet.start("Brief", "w", how="freeze", seconds=0.3)
    (line,) = until(lambda: fleet.acts("fleeting"), SOON)
    worker.send_signal(signal.SIGSTOP)  # its child has stopped itself
    until(lambda: "EffectInDoubt" in fleet.events(run), SOON)  # more than a lease, and four times what it may last

    os.kill(int(line[2]), signal.SIGCONT)
    worker.send_signal(signal.SIGCONT)

    until(lambda: fleet.status(run) == "COMPLETED", SOON)
    assert len(fleet.acts("fleeting")) == 1
    assert fleet.events(run)[-2:] == ["NodeCompleted", "RunCompleted"]
