"""A worker whose attempt lasts longer than it may: it stood still, or its handler does not end when it is told to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

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


def test_a_worker_whose_async_handler_ignores_its_cancellation_ends_before_it_can_send(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    run = fleet.start("Deaf", "d", seconds=20)
    (line,) = until(lambda: fleet.acts("persistent"), SOON)

    until(lambda: not Path(f"/proc/{line[2]}").exists(), SOON)

    assert "NX-W211" in fleet.output()
    assert "EffectInDoubt" in fleet.events(run)
    assert fleet.acts("sent") == []
