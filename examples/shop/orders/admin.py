"""The shop's admin; an order shows the runs that are about it."""

from __future__ import annotations

from django.contrib import admin

from nexum_dashboard.panel import RunsPanel
from orders.models import Claim, Mail, Order


@admin.register(Order)
class OrderAdmin(RunsPanel, admin.ModelAdmin):  # type: ignore[type-arg]
    """Orders, with their agent runs."""

    list_display = ("number", "customer", "item", "amount")
    search_fields = ("number", "customer")


@admin.register(Claim)
class ClaimAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Claims."""

    list_display = ("pk", "order", "filed_at")


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The outbox."""

    list_display = ("subject", "to", "written_at")
