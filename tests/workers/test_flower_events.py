"""What is told to Flower, read by Celery's own receiver from a real Redis."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery
from kombu import Consumer

from nexum.core.graph.nodes import Compute, Handler
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.store.api import TaskKey
from nexum.testing.services import free_port
from nexum_workers import events
from nexum_workers.app import make_app
from nexum_workers.events import FlowerEvents
from waiting import until

NODE = Compute(id="first", handler=Handler(ref="m:first"), output={})
GRAPH = Graph(workflow="Chain", input={}, nodes=(NODE,), result=("first",))
DONE = Succeeded(b'{"n":5}')


class Watcher:
    """A stock receiver with its state, on an app that knows nothing of Nexum."""

    def __init__(self, connection: Any, app: Celery) -> None:
        self.seen: list[dict[str, Any]] = []
        self.messages: list[tuple[Any, Any]] = []
        self.state = app.events.State()
        self._receiver = app.events.Receiver(connection, handlers={"*": self._hear})
        self._consumer = Consumer(connection, [self._receiver.queue], no_ack=True, callbacks=[self._read])
        self._consumer.consume()
        self._connection = connection

    def heard(self, count: int) -> list[dict[str, Any]]:
        """All events of tasks, once there are so many."""
        until(lambda: self.take() or len(self.seen) >= count, 15)
        return self.seen

    def take(self) -> None:
        """Read what has arrived; the first time, subscribe."""
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.1)

    def _read(self, body: Any, message: Any) -> None:
        self.messages.append(([dict(event) for event in body], message))
        self._receiver._receive(body, message)

    def _hear(self, event: dict[str, Any]) -> None:
        self.seen.append(event)
        self.state.event(dict(event))


@pytest.fixture
def watcher(redis_url: str) -> Iterator[Watcher]:
    app = Celery("watcher", broker=redis_url, set_as_current=False)
    with app.connection() as connection:
        made = Watcher(connection, app)
        until(lambda: made.take() or _redis(redis_url).pubsub_numpat() or _redis(redis_url).pubsub_channels())
        yield made


@contextmanager
def telling(url: str, hostname: str = "nexum-1@here", **options: object) -> Iterator[FlowerEvents]:
    made = FlowerEvents(make_app(url, ["Chain@1"], lambda *_: None, options), hostname)
    yield made
    made.close()


def _redis(url: str) -> Any:
    return redis.Redis.from_url(url)


def _work(run: str = "run-1", attempt: int = 1, run_key: str = "") -> Work:
    return Work(
        task=TaskKey(run, "first", 1, -1, attempt),
        token=1,
        deliveries=1,
        graph=GRAPH,
        node=NODE,
        cell=Cell("first", 1),
        attempt=attempt,
        inputs=(),
        input_hash="",
        key="",
        model="",
        max_run=0,
        now=0,
        scheduled_at=0,
        tenant="",
        run_key=run_key,
        trace="",
    )


def _tell(flower: FlowerEvents, work: Work, outcome: Outcome = DONE) -> None:
    flower.ended(flower.began(work), work, outcome, 0.25)


def test_a_stock_receiver_follows_a_thousand_attempts_over_several_messages(redis_url: str, watcher: Watcher) -> None:
    with telling(redis_url) as flower:
        for number in range(1_000):
            _tell(flower, _work(f"run-{number}"))
        seen = watcher.heard(3_000)

    assert len(watcher.messages) > 3
    assert max(len(body) for body, _ in watcher.messages) <= 2 * events.BATCH
    assert [event["clock"] for event in seen] == sorted({event["clock"] for event in seen})
    told = [watcher.state.tasks[uuid] for uuid in dict.fromkeys(event["uuid"] for event in seen)]
    assert [task.args for task in told] == [f"run=run-{number} visit=1 attempt=1" for number in range(1_000)]
    assert {(task.name, task.state, task.result) for task in told} == {("Chain.first", "SUCCESS", "7 bytes")}
    assert {task.worker.hostname for task in told} == {"nexum-1@here"}
    of_one = [event["type"] for event in seen if event["uuid"] == told[17].uuid]
    assert of_one == ["task-received", "task-started", "task-succeeded"]


def test_a_second_attempt_shows_its_number_its_key_and_its_version(redis_url: str, watcher: Watcher) -> None:
    before = time.time()
    with telling(redis_url) as flower:
        _tell(flower, _work(attempt=2, run_key="order-7"))
        received, started, succeeded = watcher.heard(3)

    assert (received["retries"], received["kwargs"]) == (1, GRAPH.queue)
    assert received["args"] == "run=run-1 visit=1 attempt=2 key=order-7"
    assert before <= received["timestamp"] <= started["timestamp"] <= succeeded["timestamp"] <= time.time()
    assert succeeded["runtime"] == 0.25


def test_a_failed_attempt_carries_its_error_even_one_that_utf_8_cannot_spell(redis_url: str, watcher: Watcher) -> None:
    with telling(redis_url) as flower:
        _tell(flower, _work(), Failed(Error("NX-R200", "no such order: 伝票 \ud800")))
        failed = watcher.heard(3)[2]

    assert (failed["type"], failed["exception"]) == ("task-failed", "NX-R200 no such order: 伝票 \ud800")
    assert watcher.state.tasks[failed["uuid"]].state == "FAILURE"


def test_a_message_is_the_one_that_celery_s_dispatcher_would_have_sent(redis_url: str, watcher: Watcher) -> None:
    with telling(redis_url) as flower:
        _tell(flower, _work())
        watcher.heard(3)
    app = make_app(redis_url, ["Chain@1"], lambda *_: None)
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="nexum-1@here", buffer_group={"task"})
        fields = ("uuid", "name", "args", "kwargs", "retries", "timestamp")
        dispatcher.send("task-received", **dict.fromkeys(fields, "x") | {"timestamp": time.time()})
        dispatcher.flush()
        watcher.heard(4)
    (ours, our_message), (theirs, their_message) = watcher.messages

    assert {name: type(value) for name, value in ours[0].items() if name != "retries"} == {
        name: type(value) for name, value in theirs[0].items() if name != "retries"
    }
    assert [ours[0][name] for name in ("hostname", "pid", "utcoffset")] == [
        theirs[0][name] for name in ("hostname", "pid", "utcoffset")
    ]
    assert _envelope(our_message) == _envelope(their_message)


def _envelope(message: Any) -> tuple[object, ...]:
    mode = message.properties["delivery_mode"]
    return message.content_type, message.content_encoding, message.headers, message.delivery_info, mode


def test_no_two_processes_give_the_same_id(redis_url: str, watcher: Watcher) -> None:
    app = make_app(redis_url, ["Chain@1"], lambda *_: None)
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:  # the child must not return into pytest
            flower = FlowerEvents(app, "nexum-1@here")
            for _ in range(50):
                _tell(flower, _work())
            flower.close()
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    seen = watcher.heard(300)
    assert len({event["uuid"] for event in seen}) == 100
    assert {event["pid"] for event in seen} == set(children)


def test_one_connection_serves_many_flushes_and_is_renewed_when_it_was_cut(redis_url: str, watcher: Watcher) -> None:
    server = _redis(redis_url)
    with telling(redis_url) as flower:
        _tell(flower, _work())
        watcher.heard(3)
        opened = server.info("stats")["total_connections_received"]
        _tell(flower, _work())
        watcher.heard(6)
        assert server.info("stats")["total_connections_received"] == opened
        server.client_kill_filter(_type="normal", skipme=True)
        _tell(flower, _work())
        watcher.heard(9)
        assert server.info("stats")["total_connections_received"] > opened


def test_a_redis_that_hangs_costs_the_caller_nothing_and_is_told_again_later(redis_url: str, watcher: Watcher) -> None:
    server = _redis(redis_url)
    with telling(redis_url, socket_timeout=0.2, socket_connect_timeout=0.2) as flower:
        _tell(flower, _work("before"))
        watcher.heard(3)
        server.client_pause(2_000)
        assert _seconds(lambda: _tell(flower, _work("meanwhile"))) < 0.1
        server.ping()  # answered when the pause is over
        _tell(flower, _work("after"))
        until(lambda: watcher.heard(3) and any("run=after" in event.get("args", "") for event in watcher.seen), 15)


def test_closing_takes_a_second_however_long_the_broker_is_silent(redis_url: str) -> None:
    flower = FlowerEvents(make_app(redis_url, ["Chain@1"], lambda *_: None), "nexum-1@here")
    _redis(redis_url).client_pause(3_000)
    _tell(flower, _work())
    assert _seconds(flower.close) < 1.5
    _redis(redis_url).ping()
    until(lambda: not flower._thread.is_alive())


def test_without_a_broker_events_are_dropped_with_a_word_for_whoever_debugs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "nexum.worker")
    with telling(f"redis://127.0.0.1:{free_port()}/0") as flower:
        for _ in range(2 * events.CAPACITY):
            flower.began(_work())
        assert len(flower._waiting) <= events.CAPACITY
        until(lambda: "events for Flower were dropped" in caplog.text)
        assert _seconds(flower.close) < 1
    assert [record.levelname for record in caplog.records if record.name == "nexum.worker"] == ["DEBUG"] * len(
        caplog.records
    )


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_telling_costs_less_than_celery_s_own_dispatcher_would(redis_url: str) -> None:
    app = make_app(redis_url, ["Chain@1"], lambda *_: None)
    flower = FlowerEvents(app, "nexum-1@here")
    flower.close()  # from here on its thread's work is done in this thread, where it can be measured

    work = _work()

    def ours() -> None:
        for _ in range(1_000):
            _tell(flower, work)
        flower._flush()

    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, buffer_group={"task"}, buffer_limit=5_000)

        def theirs() -> None:
            for number in range(1_000):
                fields = {"uuid": str(uuid4()), "timestamp": time.time()}
                dispatcher.send(
                    "task-received", **fields, name="Chain.first", args=f"run={number}", kwargs="", retries=0
                )
                dispatcher.send("task-started", **fields)
                dispatcher.send("task-succeeded", **fields, result="7 bytes", runtime=0.25)
            dispatcher.flush()

        spent = [(_cpu(ours), _cpu(theirs)) for _ in range(8)]
        assert min(one for one, _ in spent) < min(other for _, other in spent)
    flower._wire.close()


def _cpu(act: Callable[[], None]) -> float:
    began = time.thread_time()
    act()
    return time.thread_time() - began
