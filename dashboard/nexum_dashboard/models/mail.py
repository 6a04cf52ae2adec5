"""Facts on their way into a run, and those that could not or need not enter. None has a foreign key to runs:
an insert would hold a share lock on the run's row and stand in the way of whoever decides."""

from __future__ import annotations

from django.db import models
from django.db.models import Index, UniqueConstraint

from nexum_dashboard.models.columns import octets, text, whole


class _Letter(models.Model):
    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    run_id = text()
    dedupe = text()
    type = text()
    body = octets()
    payload = octets()
    priority = whole()
    actor = text()
    trace = text()
    at = whole()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.run_id} {self.type}"


class Mail(_Letter):
    """The inbox: completions, signals, timers, cancels that are durable and not folded yet."""

    class Meta:
        db_table = "nexum_inbox"
        constraints = (UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_inbox_one_fact"),)
        indexes = (
            Index(fields=("run_id", "priority", "id"), name="nexum_inbox_order"),
            Index(fields=("at",), name="nexum_inbox_age"),
        )


class DeadMail(_Letter):
    """Mail that cannot be folded, with the reason."""

    error = text()
    buried_at = whole()

    class Meta:
        db_table = "nexum_inbox_dead"
        constraints = (UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_inbox_dead_one_fact"),)


class LateArrival(_Letter):
    """Mail that came after its run had ended."""

    kept_at = whole()

    class Meta:
        db_table = "nexum_late_arrivals"
        constraints = (UniqueConstraint(fields=("run_id", "dedupe"), name="nexum_late_arrivals_one_fact"),)
