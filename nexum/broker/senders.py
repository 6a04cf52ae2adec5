"""What the publisher speaks: Redis lists directly, every other transport through kombu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import uuid4

from kombu import Connection, Exchange, Producer, Queue

from nexum.broker.message import CONTENT_ENCODING, CONTENT_TYPE, body_of, headers_of, redis_envelope
from nexum.broker.options import is_redis, transport_options
from nexum.core.ids import TaskKey
from nexum.crash import crash

Ring = tuple[str, TaskKey]


class Sender(Protocol):
    """Puts messages onto queues, synchronously; only the publisher's thread calls it."""

    def send(self, rings: Sequence[Ring]) -> None:
        """Send them all, or raise what the transport raises."""

    def close(self) -> None:
        """Close the connection."""


def queue_for(name: str) -> Queue:
    """The declaration of a version's queue; workers and publishers must agree on it to the letter."""
    return Queue(name, Exchange(name, type="direct"), routing_key=name)


def open_sender(url: str, extra: Mapping[str, Any] | None = None) -> Sender:
    """A sender for a broker URL; connects when it first sends. Raises `ConfigurationError` for dangerous options."""
    connection = open_connection(url, extra)
    return RedisSender(connection) if is_redis(url) else KombuSender(connection)


def open_connection(url: str, extra: Mapping[str, Any] | None = None) -> Connection:
    """A connection that is made when it is first used, and then tried twice without a pause: who needs it can go without.

    Raises `ConfigurationError` (NX-Q206) for dangerous options.
    """
    options = {**transport_options(url, extra), "max_retries": 1, "interval_start": 0, "interval_step": 0}
    return Connection(url, transport_options=options, connect_timeout=3)


class _Connected:
    """What both senders are made of: a connection of kombu's, and which queues were declared over it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._declared: set[str] = set()

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()


class RedisSender(_Connected):
    """One pipeline per batch: LPUSH of ready-made messages; queues are declared once per connection.

    The connection is kombu's own, so TLS, sentinels and passwords are read from the URL exactly as the workers read them.
    """

    def send(self, rings: Sequence[Ring]) -> None:
        """Push one element per ring. Raises `redis.RedisError` or `OSError`."""
        channel: Any = self._connection.default_channel
        _declare(channel, self._declared, (queue for queue, _ in rings))
        with channel.conn_or_acquire() as client:
            pipeline = client.pipeline(transaction=False)
            for queue, key in rings:
                pipeline.lpush(queue, redis_envelope(queue, key))
            crash("publish.mid_pipeline")
            pipeline.execute()


class KombuSender(_Connected):
    """Publishes through kombu, for AMQP and every other transport."""

    def send(self, rings: Sequence[Ring]) -> None:
        """Publish to the default exchange with the queue's name as routing key. Raises what the transport raises."""
        channel = self._connection.default_channel
        _declare(channel, self._declared, (queue for queue, _ in rings))
        producer = Producer(channel, auto_declare=False)
        for queue, key in rings:
            crash("publish.mid_pipeline")
            message_id = str(uuid4())
            producer.publish(
                body_of(queue, key),
                exchange="",
                routing_key=queue,
                content_type=CONTENT_TYPE,
                content_encoding=CONTENT_ENCODING,
                headers=headers_of(queue, key, message_id),
                correlation_id=message_id,
                delivery_mode=2,
                retry=False,
            )


def _declare(channel: Any, declared: set[str], names: Iterable[str]) -> None:
    """Create queue and binding once, so that Flower lists the queue and a stock client can route to it."""
    for name in names:
        if name not in declared:
            queue_for(name)(channel).declare()
            declared.add(name)
