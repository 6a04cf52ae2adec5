"""Where Nexum's tables live when it is not the default database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

APP = "nexum"


def database_alias() -> str:
    """The alias that `NEXUM["DATABASE"]` names; Django's default without it."""
    project: Mapping[str, Any] = getattr(settings, "NEXUM", None) or {}
    return str(project.get("DATABASE") or DEFAULT_DB_ALIAS)


class NexumRouter:
    """Sends the app's models and migrations to `NEXUM["DATABASE"]`, and nothing else there or elsewhere."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """The alias for Nexum's models, no opinion about others."""
        return database_alias() if model._meta.app_label == APP else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """The alias for Nexum's models, no opinion about others."""
        return database_alias() if model._meta.app_label == APP else None

    def allow_relation(self, left: Model, right: Model, **hints: Any) -> bool | None:
        """Relations between two models of Nexum are fine; no opinion about others."""
        return True if left._meta.app_label == right._meta.app_label == APP else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Nexum's tables only in its own database; no opinion about others."""
        return db == database_alias() if app_label == APP else None
