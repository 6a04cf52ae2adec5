"""Django's admin: the tables that have a key of one column, to look at. What can be done is done in the dashboard."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from nexum.readouts.calendar import moment
from nexum_dashboard.models import DeadMail, LateArrival, Run, Session

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Model]
else:
    _Admin = admin.ModelAdmin  # takes no type arguments when it runs


class _LookedAt(_Admin):
    """Nothing is added, changed or removed: every row is a fact or follows from one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.display(description="in the dashboard")
def opened(run: Any) -> str:
    """A link to the run's page."""
    try:
        return format_html('<a href="{}">open</a>', reverse("nexum:run", args=[run.run_id]))
    except NoReverseMatch:  # the shop has not mounted the dashboard
        return ""


def _moment(name: str) -> Any:
    @admin.display(description=name.removesuffix("_at"), ordering=name)
    def shown(row: Any) -> datetime | None:
        us = getattr(row, name)
        return moment(us) if us else None

    return shown


@admin.register(Run)
class RunAdmin(_LookedAt):
    """Runs."""

    list_display = (
        "run_id",
        "workflow",
        "run_key",
        "status",
        "error_code",
        _moment("created_at"),
        _moment("ended_at"),
        opened,
    )
    list_filter = ("status", "workflow")
    search_fields = ("run_id__startswith", "run_key__startswith", "subject__startswith")
    ordering = ("-created_at",)
    show_full_result_count = False
    list_per_page = 50
    fields: ClassVar[Any] = (
        *("run_id", opened, "tenant", "workflow", "version", "run_key", "subject", "status", "error_code", "last_seq"),
        *("priority", "trace", "actor", _moment("created_at"), _moment("updated_at"), _moment("ended_at")),
    )
    readonly_fields: ClassVar[Any] = (opened, _moment("created_at"), _moment("updated_at"), _moment("ended_at"))


@admin.register(Session)
class SessionAdmin(_LookedAt):
    """Processes that hold or held claims."""

    list_display = (
        "session",
        "kind",
        "host",
        "pid",
        "state",
        "slots",
        _moment("started_at"),
        _moment("beat_at"),
        "proof",
    )
    list_filter = ("state", "kind")
    ordering = ("-started_at",)
    show_full_result_count = False


@admin.register(DeadMail, LateArrival)
class MailAdmin(_LookedAt):
    """Facts that could not or need not enter their run."""

    list_display = ("id", "run_id", "type", "actor", _moment("at"))
    list_filter = ("type",)
    exclude = ("body", "payload")
    show_full_result_count = False
