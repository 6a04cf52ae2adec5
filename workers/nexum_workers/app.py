"""Our Celery app: one task, the queues of the versions served, and settings under which nothing hangs or runs twice.

It never takes over the shop's app. It is not set as current, has no fixups and imports no task modules; and because a
prefork child makes its worker's app current again, `hand_back` gives the place back to the shop's: otherwise a `.delay()`
inside a handler would be sent to our broker, to nobody.

Messages are acknowledged before they are executed and are only hints. There is no result, no retry, no ETA and no chord;
what was lost is found in the database. The settings are those that were measured to heal after a broker's death, freeze,
flush and half-open connection, and no others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from celery import Celery
from celery.worker.request import Request

from nexum.broker.message import TASK
from nexum.broker.options import transport_options
from nexum.broker.senders import queue_for
from nexum.crash import crash
from nexum.store.api import TaskKey

logger = logging.getLogger("nexum.worker")

_state: Any = import_module("celery._state")  # where Celery keeps its current app; it has no setter for "none"

Deliver = Callable[[str, TaskKey], None]


class Heard(Request):
    """A message in the parent. It is acknowledged when a child takes it, before anything is executed."""

    def acknowledge(self) -> None:
        """As Celery does, between two crash points."""
        crash("msg.before_ack")
        super().acknowledge()
        crash("msg.after_ack")


def make_app(broker: str, queues: Sequence[str], deliver: Deliver, options: Mapping[str, Any] | None = None) -> Celery:
    """The app of a worker that serves `queues`; `deliver` is called in a child for each message.

    Raises `ConfigurationError` (NX-Q206) for broker options that could hang a worker.
    """
    app = Celery("nexum", set_as_current=False, fixups=[])
    app.conf.update(
        broker_read_url=broker,  # these two, because CELERY_BROKER_URL in the environment beats `broker_url`
        broker_write_url=broker,
        broker_transport_options=transport_options(broker, options),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[queue_for(name) for name in queues],
        task_create_missing_queues=False,
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        task_serializer="json",
        task_publish_retry=False,
        accept_content=["json"],
        result_backend=None,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=10,
        worker_proc_alive_timeout=30,
        worker_pool_start_method="fork",
    )
    app.finalize()
    for name in list(app.tasks):
        app.tasks.unregister(name)  # Celery's own, and every @shared_task of the shop

    @app.task(name=TASK, shared=False, ignore_result=True, send_events=False, Request=Heard)
    def run_node(*args: object) -> None:
        """Hand a message to the child. Never raises: a pickled exception could hang the pool's pipe."""
        crash("msg.received")
        try:
            queue, run_id, path, visit, item, attempt = args
            key = TaskKey(str(run_id), str(path), int(str(visit)), int(str(item)), int(str(attempt)))
        except (TypeError, ValueError):
            logger.warning("a message that is none of ours was dropped: %.200r", args)
            return
        try:
            deliver(str(queue), key)
        except Exception:
            logger.exception("a message could not be handled; its task is found again by looking")

    return app


def current_app() -> tuple[Any, Any]:
    """Which app is Celery's current and default one now (often neither), to be handed back later."""
    return _state._tls.current_app, _state.default_app


def hand_back(before: tuple[Any, Any]) -> None:
    """In a child: make the shop's app current again, as it was before our worker started."""
    current, default = before
    _state._set_current_app(current)
    _state.default_app = default
