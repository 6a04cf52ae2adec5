"""What people and breakers have decided about failures: groups of dead letters, tools that are not asked for a while."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey

from nexum_dashboard.models.columns import text, whole


class GroupDecision(models.Model):
    """What somebody has decided about a group of dead letters: `what` is ignore, notice, acknowledge, assign or fixed.

    Rows are added and never changed, so that they are also the record of who decided what. `value` is the user or the version
    that is meant, `until` the end of an ignoring (0: nobody has named one).
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    tenant = text()
    fingerprint = text()
    what = text()
    value = text()
    actor = text()
    reason = text()
    until = whole()
    at = whole()

    class Meta:
        db_table = "nexum_group_decisions"
        indexes = (models.Index(fields=["tenant", "fingerprint"], name="nexum_group_decisions_of"),)

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.what}"


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
