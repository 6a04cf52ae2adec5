"""How Django knows this app: label `nexum`, tables `nexum_*`."""

from __future__ import annotations

from django.apps import AppConfig


class NexumDashboardConfig(AppConfig):
    """The app; importing the checks registers them."""

    name = "nexum_dashboard"
    label = "nexum"
    verbose_name = "Nexum"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks of the database settings."""
        from nexum_dashboard import database_checks  # noqa: F401 (registers; needs the apps to be loaded)
