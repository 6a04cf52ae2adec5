"""The app."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Orders, claims and the outbox."""

    name = "orders"
