"""A task of the shop's own, which knows nothing of agents and goes to the shop's own queue."""

from __future__ import annotations

from celery import shared_task


@shared_task
def count_stock(item: str) -> str:
    """What every shop does at night."""
    return f"counted {item}"
