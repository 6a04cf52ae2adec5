"""What is to be done: tasks and timers. Both can be rebuilt from the events."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey, Index, Q

from nexum_dashboard.models.columns import text, whole


class Task(models.Model):
    """One attempt of one cell: READY, CLAIMED or POISON. It carries what is needed to claim its effect."""

    pk = CompositePrimaryKey("run_id", "path", "visit", "item", "attempt")
    run_id = text()
    path = text()
    visit = whole()
    item = whole(-1)
    attempt = whole()
    tenant = text()
    kind = text()
    queue = text()
    state = text()
    priority = whole()
    not_before = whole()
    start_by = whole()
    max_run = whole()
    created_at = whole()
    token = whole()
    session = text()
    deliveries = whole()
    claimed_at = whole()
    told_at = whole()
    told_count = whole()
    effect_key = text()
    effect_scope = text()
    business_key = text()
    input_hash = text()
    tool = text()
    policy = text()
    ttl = whole()
    waits_for = text()

    class Meta:
        db_table = "nexum_tasks"
        indexes = (
            Index(fields=("queue", "priority", "created_at"), condition=Q(state="READY"), name="nexum_tasks_ready"),
            Index(fields=("session",), condition=Q(state="CLAIMED"), name="nexum_tasks_claimed"),
            Index(fields=("start_by",), condition=Q(state="READY", start_by__gt=0), name="nexum_tasks_late"),
        )

    def __str__(self) -> str:
        return f"{self.run_id} {self.path} {self.state}"


class Timer(models.Model):
    """Something that falls due in a run."""

    pk = CompositePrimaryKey("run_id", "timer")
    run_id = text()
    timer = text()
    due = whole()

    class Meta:
        db_table = "nexum_timers"
        indexes = (Index(fields=("due",), name="nexum_timers_due"),)

    def __str__(self) -> str:
        return f"{self.run_id} {self.timer}"
