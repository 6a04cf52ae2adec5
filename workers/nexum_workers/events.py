"""What Flower sees: one entry for each node that runs, also for those that no message announced.

Events are collected in memory and sent twice a second by a side thread, in one batch, so that a node pays some
microseconds for them. They are decoration: when the broker does not take them, they are dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any
from uuid import uuid4

from celery import Celery

from nexum.engine.work import Outcome, Succeeded, Work

logger = logging.getLogger("nexum.worker")

FLUSH_SECONDS = 0.5
CAPACITY = 5_000  # events that wait; the oldest go first


class NoEvents:
    """For a worker without a broker."""

    def began(self, work: Work) -> str:
        """Nobody listens."""
        return ""

    def ended(self, told: str, work: Work, outcome: Outcome, seconds: float) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing was collected."""


class FlowerEvents:
    """Sends `task-received`, `task-started`, `task-succeeded` and `task-failed` as the worker named `hostname`."""

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app = app
        self._hostname = hostname
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=CAPACITY)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nexum-events", daemon=True)
        self._thread.start()

    def began(self, work: Work) -> str:
        """Tell that an attempt was received and begins; gives its id in Flower."""
        told = str(uuid4())
        now = time.time()
        name = f"{work.graph.workflow}.{work.task.path}"
        args = f"run={work.task.run_id} visit={work.task.visit} attempt={work.attempt}"
        if work.run_key:
            args += f" key={work.run_key}"
        self._add(
            "task-received",
            uuid=told,
            name=name,
            args=args,
            kwargs=work.graph.queue,
            retries=work.attempt - 1,
            timestamp=now,
        )
        self._add("task-started", uuid=told, timestamp=now)
        return told

    def ended(self, told: str, work: Work, outcome: Outcome, seconds: float) -> None:
        """Tell how it ended."""
        if isinstance(outcome, Succeeded):
            result = f"{len(outcome.output)} bytes"
            self._add("task-succeeded", uuid=told, result=result, runtime=seconds, timestamp=time.time())
        else:
            error = f"{outcome.error.code} {outcome.error.message}"[:500]
            self._add("task-failed", uuid=told, exception=error, traceback="", timestamp=time.time())

    def close(self) -> None:
        """Send what is left, for at most a second."""
        self._stop.set()
        self._thread.join(1.0)

    def _add(self, kind: str, **fields: Any) -> None:
        self._waiting.append((kind, fields))

    def _run(self) -> None:
        while True:
            last = self._stop.wait(FLUSH_SECONDS)
            if self._waiting:
                try:
                    self._send()
                except Exception as error:  # noqa: BLE001 (every transport has its own tree; Flower is decoration)
                    logger.debug("events for Flower were dropped: %s", error)
            if last:
                return

    def _send(self) -> None:
        with (
            self._app.connection_for_write() as connection,
            self._app.events.Dispatcher(
                connection, hostname=self._hostname, buffer_group={"task"}, buffer_limit=CAPACITY
            ) as dispatcher,
        ):
            while self._waiting:
                kind, fields = self._waiting.popleft()
                dispatcher.send(kind, **fields)
            dispatcher.flush()
