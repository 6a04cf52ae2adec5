"""The message we write is the one Celery would have written."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from nexum.broker.message import TASK, body_of, headers_of, redis_envelope
from nexum.broker.options import transport_options
from nexum.broker.senders import open_sender, queue_for
from nexum.store.api import TaskKey

QUEUE = "RefundAgent@3ac1f2d09b7e"
KEY = TaskKey("01938f6e-7cc0-7000-8000-0123456789ab", "verdict/repair.1", 2, -1, 3)


def _celery(url: str) -> Celery:
    app = Celery("stock", broker=url, set_as_current=False)
    app.conf.task_queues = [queue_for(QUEUE)]
    app.conf.broker_transport_options = transport_options(url)
    return app


def _shape(value: Any) -> Any:
    """Keys and types of a JSON value, without its particulars."""
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    return [_shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_envelope_has_the_shape_that_apply_async_pushes_to_redis(redis_url: str) -> None:
    app = _celery(redis_url)
    with Connection(redis_url) as connection:
        channel: Any = connection.default_channel
        channel.client.flushdb()
        app.send_task(TASK, (QUEUE, *KEY), queue=QUEUE, ignore_result=True)
        stock = json.loads(channel.client.lindex(QUEUE, 0))
    ours = json.loads(redis_envelope(QUEUE, KEY))
    assert _shape(ours) == _shape(stock)
    assert ours["properties"]["delivery_info"] == stock["properties"]["delivery_info"]
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(base64.b64decode(stock["body"]))


def test_the_headers_are_those_of_as_task_v2(redis_url: str) -> None:
    app = _celery(redis_url)
    stock = app.amqp.as_task_v2("id-1", TASK, args=(QUEUE, *KEY), ignore_result=True).headers
    ours = headers_of(QUEUE, KEY, "id-1")
    differing = {name for name in stock.keys() | ours.keys() if stock.get(name, "?") != ours.get(name, "?")}
    assert differing == {"argsrepr", "origin"}


def test_the_body_stays_below_300_bytes_for_the_longest_names() -> None:
    longest = TaskKey(KEY.run_id, "n" * 63 + "/repair.20", 1_000_000, 1_000_000, 1_000_000)
    assert len(body_of("W" * 63 + "@3ac1f2d09b7e", longest)) < 300


def test_a_sent_ring_declares_the_queue_as_a_stock_worker_does(redis_url: str) -> None:
    with Connection(redis_url) as connection:
        client = connection.default_channel.client  # type: ignore[attr-defined]
        client.flushdb()
        sender = open_sender(redis_url)
        sender.send([(QUEUE, KEY)])
        sender.close()
        ours = {key: client.smembers(key) for key in client.keys("_kombu*")}
        client.flushdb()
        queue_for(QUEUE)(connection.default_channel).declare()
        assert ours == {key: client.smembers(key) for key in client.keys("_kombu*")}


@pytest.mark.parametrize("transport", ["redis", "memory"])
def test_a_kombu_consumer_reads_the_task_back(redis_url: str, transport: str) -> None:
    url = redis_url if transport == "redis" else "memory://"
    sender = open_sender(url)
    sender.send([(QUEUE, KEY)])
    with Connection(url, transport_options=transport_options(url)) as connection:
        message = connection.SimpleQueue(queue_for(QUEUE)).get(timeout=5)
        args, kwargs, _ = message.payload
        assert (args[0], TaskKey(*args[1:]), kwargs) == (QUEUE, KEY, {})
        assert message.headers["task"] == TASK
        message.ack()
    sender.close()
