"""What Flower sees: one entry for each node that runs, also for those that no message announced.

The thread that executes a node only puts a tuple into a queue. A side thread spells the events twice a second and sends
them many to a message, as Celery's own dispatcher sends what it has buffered, so that every stock receiver reads them.
It spells few at a time and rests in between, because whoever executes a node needs the interpreter that it holds.

Events are decoration: when the broker does not take them, they are dropped.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import count
from math import ceil
from typing import Any
from uuid import uuid4

import orjson
from celery import Celery
from celery.utils.time import utcoffset

from nexum.core.graph.workflow import Graph
from nexum.engine.work import Committed, Outcome, Succeeded, TakenBack, Unanswered, Waits, Work
from nexum.store.api import TaskKey

logger = logging.getLogger("nexum.worker")

FLUSH_SECONDS = 0.5
REST_SECONDS = 0.005  # between two messages of one flush
BATCH = 300  # beginnings and ends of one message: spelling them holds the interpreter for less than a millisecond
CAPACITY = 5_000  # beginnings and ends that wait; the oldest go first

# What the executing threads leave behind: who, when, and what cannot be known later. Never the `Work` itself, for its
# inputs would then stay in memory for as long as the broker hangs.
_Began = tuple[int, float, Graph, TaskKey, int, str]
_Ended = tuple[int, float, float, int | str]  # after so many seconds, with so many bytes or an error
_Event = dict[str, Any]


class NoEvents:
    """For a worker without a broker."""

    def began(self, work: Work) -> int:
        """Nobody listens."""
        return 0

    def ended(self, told: int, work: Work, outcome: Outcome, seconds: float) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing was collected."""


class FlowerEvents:
    """Sends `task-received`, `task-started`, `task-succeeded` and `task-failed` as the worker named `hostname`.

    `app` names the broker, with the options under which it cannot hang for ever. Make it after the fork: the thread that
    sends starts here.
    """

    def __init__(self, app: Celery, hostname: str) -> None:
        self._waiting: deque[_Began | _Ended] = deque(maxlen=CAPACITY)
        self._numbers = count(1)
        self._speller = _Speller(app, hostname)
        self._wire = _Wire(app, hostname)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nexum-events", daemon=True)
        self._thread.start()

    def began(self, work: Work) -> int:
        """Tell that an attempt was received and begins; gives its number, which `ended` asks for."""
        number = next(self._numbers)
        self._waiting.append((number, time.time(), work.graph, work.task, work.attempt, work.run_key))
        return number

    def ended(self, told: int, work: Work, outcome: Outcome, seconds: float) -> None:
        """Tell how it ended."""
        self._waiting.append((told, time.time(), seconds, _result(outcome)))

    def close(self) -> None:
        """Send what is left, for at most a second."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()
        self._wire.close()

    def _flush(self) -> None:
        """Send what waits; what is added meanwhile is for the next time."""
        bodies = []
        try:
            for _ in range(ceil(len(self._waiting) / BATCH)):
                told = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                bodies.append(self._speller.spell(told))
                time.sleep(REST_SECONDS)
            if bodies:
                self._wire.send(bodies)
        except Exception as error:  # noqa: BLE001 (every transport has its own tree; Flower is decoration)
            logger.debug("events for Flower were dropped: %s", error)


class _Speller:
    """Makes events with the fields of Celery's own.

    What follows an id's prefix is counted, so an id costs nothing; the prefix is the beginning of a random UUID, so no two
    processes share one. The dicts are written out in full because that is the cheapest way to make them.
    """

    def __init__(self, app: Celery, hostname: str) -> None:
        self._clock = app.clock  # type: ignore[attr-defined]  # the stubs forget it
        self._hostname = hostname
        self._pid = os.getpid()
        self._prefix = str(uuid4())[:24]

    def spell(self, told: Sequence[_Began | _Ended]) -> bytes:
        """The body of one message: a JSON list of events, in the order in which they happened."""
        clock = self._clock.value
        self._clock.adjust(clock + 2 * len(told))  # nobody else in this process counts on
        offset = utcoffset()
        events: list[_Event] = []
        for one in told:
            clock += 2
            if len(one) == 4:  # the cheapest way to tell an end from a beginning
                events.append(self._ended(one, clock, offset))
            else:
                events += self._began(one, clock, offset)
        return _json(events)

    def _began(self, told: _Began, clock: int, offset: float) -> tuple[_Event, _Event]:
        number, now, graph, task, attempt, run_key = told
        uuid = f"{self._prefix}{number:012x}"
        args = f"run={task.run_id} visit={task.visit} attempt={attempt}"
        received = {
            "type": "task-received",
            "uuid": uuid,
            "name": f"{graph.workflow}.{task.path}",
            "args": f"{args} key={run_key}" if run_key else args,
            "kwargs": graph.queue,
            "retries": attempt - 1,
            "timestamp": now,
            "hostname": self._hostname,
            "utcoffset": offset,
            "pid": self._pid,
            "clock": clock - 1,
        }
        started = {
            "type": "task-started",
            "uuid": uuid,
            "timestamp": now,
            "hostname": self._hostname,
            "utcoffset": offset,
            "pid": self._pid,
            "clock": clock,
        }
        return received, started

    def _ended(self, told: _Ended, clock: int, offset: float) -> _Event:
        number, now, seconds, result = told
        event = {
            "type": "task-succeeded",
            "uuid": f"{self._prefix}{number:012x}",
            "timestamp": now,
            "hostname": self._hostname,
            "utcoffset": offset,
            "pid": self._pid,
            "clock": clock,
        }
        if isinstance(result, str):
            event.update(type="task-failed", exception=result, traceback="")
        else:
            event["result"] = f"{result} bytes"
            event["runtime"] = seconds
        return event


def _json(events: list[_Event]) -> bytes:
    try:
        return orjson.dumps(events)
    except TypeError:  # half of a surrogate pair, which has no UTF-8 spelling but an escape
        return json.dumps(events).encode()


class _Wire:
    """One connection to the broker, kept between messages; only the side thread uses it.

    Exchange, headers and delivery mode are those of Celery's dispatcher; only its way of spelling a message is not used.
    """

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app = app
        self._hostname = hostname
        self._connection: Any = None
        self._dispatcher: Any = None

    def send(self, bodies: Sequence[bytes]) -> None:
        """Send lists of events, one in a message. Raises what the transport raises, and then has no connection."""
        if self._connection is not None:
            try:
                return self._publish(bodies)
            except Exception as error:  # noqa: BLE001 (brokers and balancers cut connections that were idle)
                logger.debug("the connection for Flower's events was lost: %s", error)
                self.close()
        try:
            self._open()
            self._publish(bodies)
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the next message opens another."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.release()
        except Exception as error:  # noqa: BLE001 (it was broken before)
            logger.debug("closing the connection for Flower's events failed: %s", error)

    def _open(self) -> None:
        # no heartbeat: nobody would send one between two flushes, and the broker would cut the connection
        self._connection = self._app.connection_for_write(heartbeat=0)
        self._connection.ensure_connection(max_retries=0)  # once: the next flush tries again
        self._dispatcher = self._app.events.Dispatcher(self._connection, hostname=self._hostname)

    def _publish(self, bodies: Sequence[bytes]) -> None:
        sender = self._dispatcher
        if not sender.enabled:  # Celery knows transports that cannot broadcast
            return
        with sender.publisher.batch():
            for body in bodies:
                sender.publisher.publish(
                    body,
                    exchange=sender.exchange.name,
                    declare=[sender.exchange],
                    routing_key="task.multi",
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=sender.headers,
                    delivery_mode=sender.delivery_mode,
                    retry=False,
                )
                time.sleep(REST_SECONDS)


def _result(outcome: Outcome) -> int | str:
    """The size of a result, or why there is none."""
    match outcome:
        case Succeeded():
            return len(outcome.output)
        case Committed():
            return outcome.size
        case TakenBack():
            return "taken back: the task is somebody else's"
        case Waits():
            return "put off: another run is making the same call"
        case Unanswered():
            return _result(outcome.instead)
        case _:
            return f"{outcome.error.code} {outcome.error.message}"[:500]
