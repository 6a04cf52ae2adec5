"""The shop's own Celery app. Nexum takes the broker's address from it, and nothing else."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shopsite.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_default_queue = "shop"
app.autodiscover_tasks()
