"""Nexum inside a Django project: its connection, its settings, its agents; and the migrations without a project.

`store_on_django` gives a store whose verbs run on Django's open connection. It never begins, commits or closes that
connection itself: inside `transaction.atomic()` the rows of `start` and `post` belong to the caller's transaction, nested
savepoints included, and are gone when it rolls back. Verbs that lock or advance runs refuse to run there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from nexum.errors import ConfigurationError, InternalError, UnavailableError
from nexum.store.address import Address, parse
from nexum.store.api import Store
from nexum.store.failures import GONE
from nexum.store.postgres import PostgresStore
from nexum.store.postgres_database import limit
from nexum.store.sqlite import SqliteStore
from nexum.store.statement import Transaction

APP = "nexum_dashboard"
ALIAS = "nexum_upgrade"
_NOT_LIBPQ = {"assume_role", "isolation_level", "pool", "server_side_binding"}
_NO_DEFAULT = {DEFAULT_DB_ALIAS: {"ENGINE": "django.db.backends.dummy"}}


class DjangoDatabase:
    """Django's connection of this thread, as a store's database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.dialect = connections[alias].vendor

    @contextmanager
    def once(self) -> Iterator[Transaction]:
        """Statements as the connection stands: one by one, or in the caller's transaction."""
        connection = connections[self._alias]
        try:
            here = self._here(connection)
            yield here
            here.flush()
        except UnavailableError as error:
            if error.code in GONE and not connection.in_atomic_block:
                connection.close()
            raise

    @contextmanager
    def reading(self, seconds: float) -> Iterator[Transaction]:
        """One statement, cancelled after so long on PostgreSQL.

        Inside the caller's transaction it is wrapped into a savepoint that is rolled back: that takes the limit away again,
        and keeps the caller's transaction whole when the limit is reached.
        """
        with self.once() as here:
            if self.dialect != "postgresql":
                yield here
            elif connections[self._alias].get_autocommit():
                here.ahead(limit(seconds))
                yield here
            else:
                here.execute(f"SAVEPOINT nexum_read; {limit(seconds)}")
                try:
                    yield here
                finally:
                    here.execute("ROLLBACK TO SAVEPOINT nexum_read; RELEASE SAVEPOINT nexum_read")

    @contextmanager
    def alone(self) -> Iterator[Transaction]:
        """Statements that commit one by one; NX-S108 inside a caller's transaction."""
        self._refuse_to_join()
        with self.once() as tx:
            yield tx

    @contextmanager
    def joined(self) -> Iterator[Transaction]:
        """A transaction, or a savepoint of the caller's."""
        with transaction.atomic(using=self._alias):
            here = self._here(connections[self._alias])
            yield here
            here.flush()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction of its own; NX-S108 inside a caller's."""
        self._refuse_to_join()
        with self.joined() as tx:
            yield tx

    def close(self) -> None:
        """Leave the connection alone: it is Django's."""

    def _here(self, connection: BaseDatabaseWrapper) -> Transaction:
        connection.validate_no_broken_transaction()
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise UnavailableError(str(error).strip(), code="NX-S100") from error
        raw = connection.connection
        assert raw is not None
        fixed = time.time_ns() // 1000 if self.dialect == "sqlite" else 0
        driver: Any = connection
        return Transaction(raw.cursor(), self.dialect, fixed, driver.Database.Error)

    def _refuse_to_join(self) -> None:
        connection = connections[self._alias]
        blocks = connection.atomic_blocks
        # The block that Django's TestCase opens stands for "no transaction", as it does for `atomic(durable=True)`.
        inside = not getattr(blocks[-1], "_from_testcase", False) if blocks else not connection.get_autocommit()
        if inside:
            raise InternalError("a run cannot be locked or advanced inside the caller's transaction", code="NX-S108")


def store_on_django(alias: str = DEFAULT_DB_ALIAS) -> Store:
    """A store on Django's connection `alias`, of whatever thread calls.

    `start` and `post` join the caller's transaction; so do reads. Verbs that lock or advance runs raise `InternalError`
    NX-S108 there. Raises `ConfigurationError` NX-S113 when the alias is neither PostgreSQL nor SQLite.
    """
    database = DjangoDatabase(alias)
    if database.dialect == "postgresql":
        return PostgresStore(database)
    if database.dialect == "sqlite":
        return SqliteStore(database)
    raise ConfigurationError(f"database {alias!r} is {database.dialect}", code="NX-S113")


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


def database_url(alias: str = DEFAULT_DB_ALIAS) -> str:
    """The URL of one of the project's DATABASES, for processes that open connections of their own.

    Raises `ConfigurationError` NX-S113 for an alias that is not there, and for other databases than PostgreSQL and SQLite.
    """
    if alias not in connections.settings:
        known = ", ".join(sorted(connections.settings))
        raise ConfigurationError(f"Django's DATABASES has no {alias!r}; it has {known}", code="NX-S113")
    connection = connections[alias]
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(os.fspath(found['NAME']))}"
    if connection.vendor != "postgresql":
        raise ConfigurationError(f"DATABASES[{alias!r}] is {connection.vendor}", code="NX-S113")
    user, password = quote(found["USER"], safe=""), quote(found["PASSWORD"], safe="")
    place = f"{user}{':' if password else ''}{password}{'@' if user else ''}"
    host = found["HOST"]
    options = {name: value for name, value in found["OPTIONS"].items() if name not in _NOT_LIBPQ}
    options |= {"host": host} if host.startswith("/") else {}
    server = "" if host.startswith("/") else f"[{host}]" if ":" in host else host
    port = f":{found['PORT']}" if found["PORT"] else ""
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{place}{server}{port}/{quote(found['NAME'])}{query}"


def alias_of(url: str, preferred: str = DEFAULT_DB_ALIAS) -> str:
    """The alias of the project's DATABASES that is the database at `url`, `preferred` among several; "" when there is none."""
    wanted = _place(url)
    for alias in (preferred, *sorted(connections.settings)):
        if alias not in connections.settings or connections[alias].vendor not in ("sqlite", "postgresql"):
            continue
        if _place(database_url(alias)) == wanted:
            return alias
    return ""


def _place(url: str) -> tuple[str, ...]:
    """Which database an address means, whoever opens it and how."""
    address = parse(url)
    if address.dialect == "sqlite":
        return (address.dialect, str(Path(address.path).absolute()))
    return (address.dialect, address.host or "localhost", address.port or "5432", address.name)


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
    """Apply all migrations to a database without a Django project around, and create functions that were left out.

    Raises `ConfigurationError` NX-S113 for an address that is not understood; a database that does not answer raises
    Django's `OperationalError`.
    """
    address = parse(url)
    if address.dialect == "sqlite":
        Path(address.path).parent.mkdir(parents=True, exist_ok=True)
    with _connected(url) as alias:
        call_command("migrate", "nexum", database=alias, verbosity=0, interactive=False)
        from nexum_migrations._postgres import create_functions  # needs Django to be set up

        create_functions(connections[alias])
        if address.dialect == "sqlite":
            with connections[alias].cursor() as cursor:
                cursor.execute("PRAGMA journal_mode=WAL")  # now, while nobody holds the file


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
