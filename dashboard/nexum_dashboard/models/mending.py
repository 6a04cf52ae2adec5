"""What people and breakers have decided about failures: groups set aside, tools that are not asked for a while."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey

from nexum_dashboard.models.columns import text, whole


class SetAside(models.Model):
    """A group of dead letters that somebody does not want to see until an instant (0: ever)."""

    pk = CompositePrimaryKey("tenant", "fingerprint")
    tenant = text()
    fingerprint = text()
    until = whole()
    actor = text()
    reason = text()
    at = whole()

    class Meta:
        db_table = "nexum_set_aside"

    def __str__(self) -> str:
        return self.fingerprint


class Breaker(models.Model):
    """A circuit breaker: closed, open or half_open. `failures` are the instants that count; `revision` guards writes."""

    pk = CompositePrimaryKey("tenant", "name")
    tenant = text()
    name = text()
    state = text()
    failures = text()
    opened_at = whole()
    open_for = whole()
    probe_at = whole()
    probing = whole()
    forced = text()
    forced_until = whole()
    actor = text()
    reason = text()
    changed_at = whole()
    revision = whole()

    class Meta:
        db_table = "nexum_breakers"

    def __str__(self) -> str:
        return f"{self.name} {self.state}"
