"""Raw Celery: a task per step, chained; not durable, which makes it the price of the transport alone."""

from __future__ import annotations

from celery import Celery, chain

from benchmarks.marks import mark

app = Celery("bench")  # broker and backend by CELERY_BROKER_URL and CELERY_RESULT_BACKEND, or by who imports it
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=4,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def step(run: str, place: int) -> bool:
    """Mark and return."""
    mark(run, place)
    return True


def start(run: str, length: int) -> None:
    """Send a chain of steps; every message carries what is left of the chain."""
    chain(*(step.si(run, place) for place in range(length))).apply_async()
