"""System checks of the database settings: `nexum.E004` and `nexum.W005`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import DEFAULT_DB_ALIAS, connections, router

from nexum_dashboard.routers import APP, database_alias


@register("nexum")
def check_router(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """`nexum.E004`: another database was named, but no router sends Nexum's tables there."""
    alias = database_alias()
    if alias not in connections.settings:
        known = ", ".join(sorted(connections.settings))
        return [Error(f'NEXUM["DATABASE"] is {alias!r}, which is not in DATABASES ({known}).', id="nexum.E004")]
    lost = alias != DEFAULT_DB_ALIAS and router.allow_migrate(DEFAULT_DB_ALIAS, APP)
    if not lost:
        return []
    hint = 'Add "nexum_dashboard.routers.NexumRouter" to DATABASE_ROUTERS.'
    return [
        Error(f'NEXUM["DATABASE"] is {alias!r}, but migrations would also go to "default".', hint=hint, id="nexum.E004")
    ]


@register("nexum")
def check_sqlite_mode(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """`nexum.W005`: SQLite's deferred transactions fail at once, without waiting, when two processes write."""
    alias = database_alias()
    if alias not in connections.settings or connections[alias].vendor != "sqlite":
        return []
    options = connections.settings[alias].get("OPTIONS", {})
    if str(options.get("transaction_mode", "")).upper() == "IMMEDIATE":
        return []
    hint = f'Set DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}.'
    return [checks.Warning("SQLite transactions of this project are deferred.", hint=hint, id="nexum.W005")]
