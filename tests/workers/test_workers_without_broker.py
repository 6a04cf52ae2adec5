"""Worker processes that take their tasks from the database, woken by datagrams."""

from __future__ import annotations

import os
import signal

from fleet import Fleet
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs
from waiting import until

SOON = 20


def test_runs_end_and_every_effect_is_made_once(fleet: Fleet) -> None:
    fleet.worker()
    runs = [fleet.start("Chain", f"e{number}") for number in range(8)]
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
    made = fleet.acts("third")
    assert sorted(line[1] for line in made) == [f"e{number}" for number in range(8)]
    assert len({line[4] for line in made}) == 8


def test_64_async_handlers_of_one_second_end_within_three(fleet: Fleet) -> None:
    fleet.worker(processes=2, slots=32)
    until(lambda: len(fleet.sessions()) == 2, SOON)
    runs = [fleet.start("Sleepers", f"s{number}", seconds=1) for number in range(64)]
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
    times = [float(line[3]) for line in fleet.acts("asleep") + fleet.acts("awake")]
    assert max(times) - min(times) < 3
    assert len({line[2] for line in fleet.acts("asleep")}) == 2


def test_a_killed_child_is_proven_dead_and_its_task_runs_elsewhere(fleet: Fleet) -> None:
    fleet.worker()
    with fleet.sweeping():
        run = fleet.start("Hazards", "k", how="kill")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    killed, again = fleet.acts("hazard")
    assert killed[2] != again[2]
    assert float(again[3]) - float(killed[3]) < 2  # not a lease (3 s), but a proof
    ended = until(lambda: fleet.sessions("ENDED", "DEAD"))
    assert str(ended[0].pid) == killed[2]
    until(lambda: len(fleet.sessions()) == 2, SOON)


def test_the_children_die_with_their_parent(fleet: Fleet) -> None:
    worker = fleet.worker()
    pids = [row.pid for row in until(lambda: len(fleet.sessions()) == 2 and fleet.sessions(), SOON)]
    fleet.start("Hazards", "h", how="hold", seconds=30)
    until(lambda: fleet.acts("hazard"), SOON)
    worker.kill()
    worker.wait()
    until(lambda: not any(_is_alive(pid) for pid in pids), 5)


def test_a_handler_that_exits_is_retried_and_its_process_lives(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    run = fleet.start("Hazards", "x", how="exit")
    until(lambda: fleet.status(run) == "COMPLETED", SOON)
    assert len({line[2] for line in fleet.acts("hazard")}) == 1


def test_a_handler_that_never_returns_is_recorded_as_overtime_and_its_process_replaced(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    run = fleet.start("Stuck", "n")
    with fleet.sweeping():
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    first, second = fleet.acts("never")
    assert first[2] != second[2]
    assert "AttemptFailed" in fleet.events(run)
    assert "NX-W211" in fleet.output()


def test_a_handler_that_falls_silent_is_ended_and_one_that_beats_is_not(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    run = fleet.start("Silent", "m")
    with fleet.sweeping():
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    first, second = fleet.acts("murmur")
    assert float(second[3]) - float(first[3]) > 0.8  # eight heartbeats long it lived
    failed = next(event for event in fleet.store.events_after(run, 0) if event.type == "AttemptFailed")
    assert b"NX-R205" in failed.body


def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new(fleet: Fleet) -> None:
    worker = fleet.worker(processes=1)
    run = fleet.start("Held", "w", seconds=1)
    until(lambda: fleet.acts("wire"), SOON)
    worker.send_signal(signal.SIGTERM)
    late = fleet.start("Held", "late")
    assert fleet.ended(worker, 15) == 0
    assert fleet.status(run) == "COMPLETED"
    assert fleet.status(late) == "RUNNING"
    assert len(fleet.acts("wire")) == 1
    assert fleet.sessions() == []


def test_a_second_sigterm_ends_at_once_and_the_effect_is_in_doubt(fleet: Fleet) -> None:
    worker = fleet.worker(processes=1)
    run = fleet.start("Held", "w", seconds=25)
    until(lambda: fleet.acts("wire"), SOON)
    worker.send_signal(signal.SIGTERM)
    until(lambda: "finishing what is under way" in fleet.output(), SOON)
    worker.send_signal(signal.SIGTERM)
    assert fleet.ended(worker, 10) == 0
    assert fleet.sessions() == []
    with fleet.sweeping():
        until(lambda: "EffectInDoubt" in fleet.events(run), SOON)
    assert len(fleet.acts("wire")) == 1


def test_a_drained_worker_leaves_by_itself(fleet: Fleet) -> None:
    run = fleet.start("Hazards", "h", how="hold", seconds=0.5)
    worker = fleet.worker(exit_when_drained=True, drain_timeout=60)
    assert fleet.ended(worker, 30) == 0
    assert fleet.status(run) == "COMPLETED"
    assert "draining Hazards@" in fleet.output()


def test_a_worker_that_cannot_drain_in_time_says_so(fleet: Fleet) -> None:
    fleet.start("Sleepers", "s", seconds=60)
    worker = fleet.worker(workflows=["Sleepers"], exit_when_drained=True, drain_timeout=1)
    assert fleet.ended(worker, 30) == 75
    assert "NX-W204" in fleet.output()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_runs_that_cannot_go_on_stop_alone_and_their_worker_ends_the_others(fleet: Fleet) -> None:
    spoilt, broken = (fleet.start("Chain", name) for name in ("spoilt", "broken"))
    assert isinstance(fleet.store, Verbs)
    with fleet.store.database.transaction() as tx:
        tx.run(
            Statement("UPDATE nexum_events SET payload = :other WHERE run_id = :run AND seq = 1"),
            other=b"{}",
            run=spoilt,
        )
        tx.run(Statement("UPDATE nexum_events SET hash = :other WHERE run_id = :run"), other=bytes(32), run=broken)
    fleet.worker(processes=1)
    with fleet.sweeping():
        runs = [fleet.start("Chain", f"sound{number}") for number in range(4)]
        until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
        until(lambda: fleet.events(spoilt)[-1] == "RunSuspended" and "NX-S120" in fleet.output(), SOON)
        more = fleet.start("Chain", "later")
        until(lambda: fleet.status(more) == "COMPLETED", SOON)
    assert fleet.output().count(f"[NX-S121] run {spoilt} is suspended") == 1
    assert fleet.output().count(f"[NX-S120] run {broken} cannot go on") == 1
    assert {line[1] for line in fleet.acts("first")} == {"sound0", "sound1", "sound2", "sound3", "later"}
