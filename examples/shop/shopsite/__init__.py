"""The shop's project: settings, urls, and its own Celery app."""

from __future__ import annotations

from shopsite.celery import app as celery_app

__all__ = ["celery_app"]
