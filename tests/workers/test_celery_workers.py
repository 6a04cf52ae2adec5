"""Celery workers on PostgreSQL and Redis: the broker may go at any moment, the runs go on."""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from errands import REGISTRY
from fleet import Fleet
from nexum.broker import publisher
from nexum.broker.message import TASK
from nexum.broker.publisher import Publisher
from nexum.broker.senders import open_sender
from nexum.store.api import TaskKey
from nexum_workers.app import make_app
from nexum_workers.child import NET_SECONDS
from waiting import until

SOON = 30


def _ready(fleet: Fleet, count: int = 2) -> None:
    try:
        until(lambda: len(fleet.sessions()) == count and "ready" in fleet.output(), SOON)
    except AssertionError as error:
        raise AssertionError(f"{len(fleet.sessions())} sessions; {fleet.stacks(fleet.processes[0])}") from error


def _redis(fleet: Fleet) -> Any:
    channel: Any = Connection(fleet.broker).default_channel
    return channel.client


def _from_afar(fleet: Fleet) -> None:
    """Ring as another machine does: by messages alone."""
    fleet.doorbell.close()
    fleet.doorbell = Publisher(lambda: open_sender(fleet.broker))


def test_messages_wake_workers_and_each_effect_is_made_once(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    _from_afar(fleet)
    fleet.worker()
    _ready(fleet)
    runs = [fleet.start("Chain", f"e{number}") for number in range(10)]
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
    assert sorted(line[1] for line in fleet.acts("third")) == sorted(f"e{number}" for number in range(10))


def test_64_async_handlers_of_one_second_end_within_three_under_celery(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    fleet.worker(processes=2, slots=32)
    _ready(fleet)
    runs = [fleet.start("Sleepers", f"s{number}", seconds=1) for number in range(64)]
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
    times = [float(line[3]) for line in fleet.acts("asleep") + fleet.acts("awake")]
    assert max(times) - min(times) < 3


def test_a_flushed_broker_loses_nothing(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    runs = [fleet.start("Chain", f"e{number}") for number in range(5)]
    until(lambda: _redis(fleet).llen(REGISTRY.queues[0]) == 5)
    _redis(fleet).flushall()
    fleet.worker()
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)


def test_an_idle_worker_of_the_same_machine_needs_no_message(
    celery_fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "ANSWER_SECONDS", 10)  # who is idle answers, however busy the machine is with others
    fleet = celery_fleet
    fleet.worker()
    _ready(fleet)
    bell = fleet.doorbell
    assert isinstance(bell, Publisher)
    for number in range(5):
        run = fleet.start("Chain", f"e{number}")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)  # noqa: B023
    until(lambda: bell.answered + bell.sent == 5, SOON)
    assert bell.answered == 5


def test_a_message_that_meets_a_busy_process_is_passed_on_to_an_idle_one(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    fleet.worker()
    _ready(fleet)
    long = fleet.start(
        "Hazards", "long", how="hold", seconds=8
    )  # heard as a ring, so that Celery takes nobody for busy
    until(lambda: fleet.acts("hazard"), SOON)
    _from_afar(fleet)
    for number in range(6):
        began = time.monotonic()
        run = fleet.start("Chain", f"e{number}")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)  # noqa: B023
        assert time.monotonic() - began < NET_SECONDS / 2
    assert fleet.status(long) == "RUNNING"
    until(lambda: fleet.status(long) == "COMPLETED", SOON)


def test_a_doubled_message_and_a_foreign_one_do_no_harm(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    run = fleet.start("Held", "w", seconds=0.2)
    queue = next(queue for queue in REGISTRY.queues if queue.startswith("Held@"))
    for _ in range(3):
        fleet.doorbell.ring(queue, TaskKey(run, "wire", 1, -1, 1))
    stranger = Celery("stranger", broker=fleet.broker, set_as_current=False)
    stranger.send_task(TASK, ("nonsense",), queue=queue)
    stranger.send_task("os.system", ("true",), queue=queue)
    fleet.worker()
    until(lambda: fleet.status(run) == "COMPLETED", SOON)
    other = fleet.start("Held", "later")
    until(lambda: fleet.status(other) == "COMPLETED", SOON)
    until(
        lambda: "none of ours" in fleet.output(), SOON
    )  # the runs need no message, so they may be done before it comes
    assert [line[1] for line in fleet.acts("wire")] == ["w", "later"]


def test_a_killed_pool_process_is_proven_dead_and_its_task_runs_elsewhere(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    fleet.worker()
    _ready(fleet)
    with fleet.sweeping():
        run = fleet.start("Hazards", "k", how="kill")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    killed, again = fleet.acts("hazard")
    assert killed[2] != again[2]
    assert float(again[3]) - float(killed[3]) < 2
    until(lambda: len(fleet.sessions()) == 2, SOON)


def test_sigterm_drains_a_celery_worker(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    worker = fleet.worker()
    _ready(fleet)
    held = fleet.start("Held", "w", seconds=1.5)
    asleep = fleet.start("Sleepers", "s", seconds=1.5)
    until(lambda: fleet.acts("wire") and fleet.acts("asleep"), SOON)
    worker.send_signal(signal.SIGTERM)
    assert fleet.ended(worker, 20) == 0
    assert (fleet.status(held), fleet.status(asleep)) == ("COMPLETED", "COMPLETED")
    assert fleet.sessions() == []


def test_a_second_sigterm_ends_a_celery_worker_at_once(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    worker = fleet.worker()
    _ready(fleet)
    fleet.start("Held", "w", seconds=25)
    until(lambda: fleet.acts("wire"), SOON)
    worker.send_signal(signal.SIGTERM)
    until(lambda: "finishing what is under way" in fleet.output(), SOON)
    worker.send_signal(signal.SIGTERM)
    fleet.ended(worker, 15)
    assert fleet.sessions() == []


def test_every_node_is_told_to_flower_with_its_name_and_its_run(celery_fleet: Fleet) -> None:
    fleet = celery_fleet
    seen: list[dict[str, Any]] = []
    app = Celery("watcher", broker=fleet.broker, set_as_current=False)
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        fleet.worker()
        _ready(fleet)
        run = fleet.start("Chain", "e", key="order-1")
        until(lambda: _capture(receiver) or sum(e["type"] == "task-succeeded" for e in seen) == 3, SOON)
        until(lambda: _capture(receiver) or any(e["type"] == "worker-heartbeat" for e in seen), SOON)
    received = {event["uuid"]: event for event in seen if event["type"] == "task-received"}
    assert sorted(event["name"] for event in received.values()) == ["Chain.first", "Chain.second", "Chain.third"]
    assert all(run in event["args"] and "order-1" in event["args"] for event in received.values())
    assert {event["hostname"] for event in received.values()} == {
        event["hostname"] for event in seen if event["type"] == "worker-heartbeat"
    }


def _capture(receiver: Any) -> None:
    """Take in what has arrived."""
    with suppress(TimeoutError):
        receiver.capture(limit=50, timeout=0.3, wakeup=False)


def test_our_app_has_one_task_and_nothing_that_could_hang_or_repeat() -> None:
    app = make_app("redis://localhost", ["A@1"], lambda *_: None)
    assert list(app.tasks) == [TASK]
    conf = app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_disable_prefetch) == (False, False, True)
    assert conf.broker_transport_options["socket_timeout"] == 5
    assert conf.accept_content == ["json"]
    assert [queue.name for queue in conf.task_queues] == ["A@1"]
    assert json.loads(json.dumps(conf.result_backend)) is None
