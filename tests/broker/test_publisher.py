"""Ringing never waits for a broker and never raises."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from nexum.broker.breaker import Breaker
from nexum.broker.connect import open_doorbell
from nexum.broker.lengths import QueueLengths
from nexum.broker.local import Ear, LocalDoorbell
from nexum.broker.options import transport_options
from nexum.broker.publisher import Publisher
from nexum.broker.senders import Ring, open_sender
from nexum.errors import ConfigurationError, UnavailableError
from nexum.store.api import TaskKey
from nexum.testing.services import free_port
from waiting import until

KEY = TaskKey("run", "node", 1, -1, 1)


class FakeSender:
    """Collects rings; fails while `broken`; holds its caller while `gate` is closed."""

    def __init__(self) -> None:
        self.got: list[Ring] = []
        self.broken = False
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def send(self, rings: Sequence[Ring]) -> None:
        self.gate.wait(10)
        if self.broken:
            raise OSError("connection refused")
        self.got.extend(rings)

    def close(self) -> None:
        self.closed += 1


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rings_arrive_in_order() -> None:
    sender = FakeSender()
    bell = Publisher(lambda: sender)
    for number in range(300):
        bell.ring(f"q{number}", KEY)
    bell.close()
    assert [queue for queue, _ in sender.got] == [f"q{number}" for number in range(300)]
    assert (bell.sent, bell.dropped, sender.closed) == (300, 0, 1)


def test_a_full_queue_drops_instead_of_waiting() -> None:
    sender = FakeSender()
    sender.gate.clear()
    bell = Publisher(lambda: sender, capacity=5)
    bell.ring("first", KEY)
    until(lambda: len(bell._waiting) == 0)
    for _ in range(8):
        bell.ring("q", KEY)
    assert bell.dropped == 3
    sender.gate.set()
    bell.close()
    assert bell.sent == 6


def test_a_failure_opens_the_breaker_and_a_later_success_closes_it() -> None:
    sender, clock = FakeSender(), FakeClock()
    sender.broken = True
    bell = Publisher(lambda: sender, breaker=Breaker(5.0, clock))
    bell.ring("lost", KEY)
    until(lambda: bell.failures == 1)
    assert bell.is_down
    assert "connection refused" in bell.last_error
    bell.ring("dropped", KEY)
    assert bell.dropped == 2
    sender.broken = False
    clock.now += 5.1
    bell.ring("again", KEY)
    until(lambda: bell.sent == 1)
    assert not bell.is_down
    assert sender.got == [("again", KEY)]
    bell.close()


def test_a_broker_that_does_not_exist_costs_the_caller_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    bell = Publisher(lambda: open_sender(url))
    for _ in range(50):
        bell.ring("q", KEY)
    until(lambda: bell.is_down, seconds=20)
    bell.ring("q", KEY)
    bell.close()
    assert [getattr(record, "code", "") for record in caplog.records] == ["NX-Q205"]


def test_a_forked_child_rings_through_a_thread_of_its_own() -> None:
    sender = FakeSender()
    bell = Publisher(lambda: sender)
    bell.ring("parent", KEY)
    until(lambda: bell.sent == 1)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # the child must not return into pytest
        bell.ring("child", KEY)
        bell.close()
        os.write(write, b"%d" % len(sender.got))
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 16) == b"2"
    assert bell.sent == 1
    os.close(read)
    os.close(write)
    bell.close()


def test_queue_lengths_are_read_and_an_absent_broker_is_said(redis_url: str) -> None:
    sender = open_sender(redis_url)
    sender.send([("Lengths@1", KEY)] * 3)
    sender.close()
    lengths = QueueLengths(redis_url)
    assert lengths.read(["Lengths@1", "Nobody@2"]) == {"Lengths@1": 3, "Nobody@2": 0}
    lengths.close()
    with pytest.raises(UnavailableError) as caught:
        QueueLengths(f"redis://127.0.0.1:{free_port()}/0").read(["q"])
    assert caught.value.code == "NX-Q205"


@pytest.mark.parametrize("extra", [{"socket_timeout": None}, {"health_check_interval": 0}, {"global_keyprefix": "x:"}])
def test_options_that_could_hang_a_worker_are_refused(extra: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_doorbell("sqlite:///x", "redis://localhost", extra)
    assert caught.value.code == "NX-Q206"


def test_our_unacknowledged_messages_have_names_of_their_own() -> None:
    options = transport_options("redis://localhost", {"visibility_timeout": 10})
    assert (options["unacked_key"], options["visibility_timeout"]) == ("nexum_unacked", 10)
    assert transport_options("amqp://localhost") == {}


def test_what_an_idle_worker_of_this_machine_answers_needs_no_message(tmp_path: Path) -> None:
    sender = FakeSender()
    bell = Publisher(lambda: sender, local=LocalDoorbell(tmp_path))
    stop = threading.Event()

    def idle() -> None:
        while not stop.is_set():
            ring = ear.wait(0.1)
            if ring is not None:
                ear.answer(ring)

    with Ear(tmp_path, ["near"]) as ear:
        thread = threading.Thread(target=idle)
        thread.start()
        bell.ring("near", KEY)
        until(lambda: bell.answered == 1)
        bell.ring("far", KEY)
        until(lambda: bell.sent == 1)
        stop.set()
        thread.join()
    assert sender.got == [("far", KEY)]
    bell.close()


def test_what_only_busy_workers_could_hear_goes_to_the_broker(tmp_path: Path) -> None:
    sender = FakeSender()
    bell = Publisher(lambda: sender, local=LocalDoorbell(tmp_path))
    with Ear(tmp_path, ["q"]):
        bell.ring("q", KEY)
        until(lambda: bell.sent == 1)
    bell.ring("q", KEY)
    until(lambda: bell.sent == 2)
    assert bell.answered == 0
    bell.close()


def test_workers_of_this_machine_are_told_while_the_broker_is_down(tmp_path: Path) -> None:
    sender, clock = FakeSender(), FakeClock()
    sender.broken = True
    bell = Publisher(lambda: sender, local=LocalDoorbell(tmp_path), breaker=Breaker(5.0, clock))
    with Ear(tmp_path, ["q"]) as ear:
        bell.ring("q", KEY)
        until(lambda: bell.is_down)
        assert ear.wait(10) is not None
        bell.ring("q", KEY)
        assert ear.wait(10) is not None
    bell.close()


def test_which_doorbell_follows_from_the_broker() -> None:
    assert isinstance(open_doorbell("sqlite:///x"), LocalDoorbell)
    assert isinstance(open_doorbell("sqlite:///x", "redis://localhost"), Publisher)
