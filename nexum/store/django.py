"""Nexum inside a Django project: its connection, its settings, its agents; and the migrations without a project.

`store_on_django` gives a store whose verbs run on Django's open connection. It never begins, commits or closes that
connection itself: inside `transaction.atomic()` the rows of `start` and `post` belong to the caller's transaction, nested
savepoints included, and are gone when it rolls back. Verbs that lock or advance runs refuse to run there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.utils import ConnectionHandler

from nexum.errors import ConfigurationError
from nexum.store.address import Address, parse

APP = "nexum_dashboard"
ALIAS = "nexum_upgrade"
_NO_DEFAULT = {DEFAULT_DB_ALIAS: {"ENGINE": "django.db.backends.dummy"}}


def on_commit(call: Callable[[], object], alias: str = DEFAULT_DB_ALIAS) -> None:
    """Run `call` once the caller's transaction has committed: at once when there is none, never when it rolls back."""
    transaction.on_commit(call, using=alias)


def project_settings() -> Mapping[str, Any] | None:
    """The `NEXUM` dictionary of the host project ({} when it has none); None when Django is not configured."""
    try:
        found = getattr(settings, "NEXUM", None)
    except ImproperlyConfigured:
        return None
    return found if isinstance(found, Mapping) else {}


def agent_modules() -> list[str]:
    """The module `agents` of every installed app that has one, in the order of `INSTALLED_APPS`."""
    if project_settings() is None:
        return []
    if not apps.ready:
        django.setup()
    names = [f"{config.name}.agents" for config in apps.get_app_configs()]
    return [name for name in names if find_spec(name) is not None]


def database_settings(url: str) -> dict[str, Any]:
    """The entry of Django's `DATABASES` for a database URL. Raises `ConfigurationError` NX-S113."""
    address = parse(url)
    if address.dialect == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": address.path,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5},
        }
    return {"ENGINE": "django.db.backends.postgresql", "NAME": address.name, **_server(address)}


def _server(address: Address) -> dict[str, Any]:
    return {
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": address.port,
        "OPTIONS": dict(address.options),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode
    }


def migrate(url: str) -> None:
    """Apply all migrations to a database without a Django project around.

    Raises `ConfigurationError` NX-S113 for an address that is not understood; a database that does not answer raises
    Django's `OperationalError`.
    """
    address = parse(url)
    if address.dialect == "sqlite":
        Path(address.path).parent.mkdir(parents=True, exist_ok=True)
    with _connected(url) as alias:
        call_command("migrate", "nexum", database=alias, verbosity=0, interactive=False)


@contextmanager
def _connected(url: str) -> Iterator[str]:
    """An alias of Django's for this URL: of a configuration made for it, or beside those of the host project."""
    if project_settings() is None:
        entry = database_settings(url)
        settings.configure(INSTALLED_APPS=[APP], DATABASES={"default": entry}, USE_TZ=True, LOGGING_CONFIG=None)
    if not apps.ready:
        django.setup()
    if not apps.is_installed(APP):
        raise ConfigurationError(f"{APP!r} is not in INSTALLED_APPS of this Django project")
    routers, router.routers = router.routers, []  # a project's routers do not know the alias
    connections.settings[ALIAS] = ConnectionHandler({**_NO_DEFAULT, ALIAS: database_settings(url)}).settings[ALIAS]
    try:
        yield ALIAS
    finally:
        router.routers = routers
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]
