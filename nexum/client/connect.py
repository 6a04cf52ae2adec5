"""Where the database is, and the way to it: one connection for each process and address.

Inside a Django project the store runs on Django's own connection, so that a start joins `transaction.atomic()` and its ring
waits for the commit. Everywhere else the process has a store of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nexum.broker.connect import broker_url, open_doorbell
from nexum.broker.doorbell import Doorbell
from nexum.client.start import StartRequest, start
from nexum.settings import DEV_DATABASE, Settings, find_pyproject, load_settings
from nexum.store.address import parse
from nexum.store.api import Started, Store, TaskKey
from nexum.store.connect import open_store

_open: dict[tuple[int, str], Connection] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Connection:
    """A store, the doorbell of its workers, and the settings that led there; `url` is the database's address.

    Its repr shows none of them: addresses and settings carry passwords, and handles end up in logs and tracebacks.
    """

    store: Store = field(repr=False)
    doorbell: Doorbell = field(repr=False)
    settings: Settings = field(repr=False)
    url: str = field(repr=False)

    def start(self, request: StartRequest) -> Started:
        """Start a run; see `nexum.client.start.start`. The ring waits for the caller's commit where there is one."""
        settings = self.settings
        return start(
            self.store,
            request,
            doorbell=self.doorbell,
            inline_max=settings.inline_max,
            max_payload=settings.max_payload,
        )

    def close(self) -> None:
        """Give back connections and sockets; the process may connect again."""
        with _lock:
            for key in [key for key, held in _open.items() if held is self]:
                del _open[key]
        self.doorbell.close()
        self.store.close()


class AfterCommit:
    """A doorbell that waits for the commit of the transaction that the caller has open; at once when there is none."""

    def __init__(self, bell: Doorbell, on_commit: Callable[[Callable[[], object]], None]) -> None:
        self._bell = bell
        self._on_commit = on_commit

    def ring(self, queue: str, key: TaskKey) -> None:
        """Ring once the rows are there for others to see."""
        self._on_commit(lambda: self._bell.ring(queue, key))

    def close(self) -> None:
        """Close the doorbell behind it."""
        self._bell.close()


def project_settings() -> Settings:
    """The settings that hold where this process runs: environment, Django's when it is configured, pyproject.toml."""
    return load_settings(pyproject=find_pyproject(Path.cwd()), django=_djangos())


def database_url(settings: Settings) -> str:
    """The address of the engine's database, spelt one way for all processes: `database`, Django's, `.nexum/dev.sqlite3`.

    Raises `ConfigurationError` NX-S113 for an address that is not understood.
    """
    if settings.database:
        return canonical(settings.database)
    if in_django():
        from nexum.store.django import database_url as djangos

        return canonical(djangos(settings.database_alias))
    return canonical(f"sqlite:///{DEV_DATABASE}")


def canonical(url: str) -> str:
    """The same address with an absolute path: workers find each other by it, wherever they were started."""
    address = parse(url)
    return f"sqlite:///{Path(address.path).absolute()}" if address.dialect == "sqlite" else url


def in_django() -> bool:
    """Whether this process runs inside a configured Django project; never imports Django where nobody asked for it."""
    return _djangos() is not None


def connect(settings: Settings | None = None) -> Connection:
    """The connection of this process; opened once for each address, and again after a fork.

    Raises `ConfigurationError` for an address or broker options that are not understood; nothing is connected yet.
    """
    settings = settings or project_settings()
    url = database_url(settings)
    with _lock:
        held = _open.get((os.getpid(), url))
        if held is None or held.settings != settings:
            held = _open[os.getpid(), url] = _opened(settings, url)
        return held


def _opened(settings: Settings, url: str) -> Connection:
    bell = open_doorbell(url, broker_url(settings))
    if settings.database or not in_django():
        return Connection(open_store(url, role="client"), bell, settings, url)
    from nexum.store.django import on_commit, store_on_django

    alias = settings.database_alias
    return Connection(store_on_django(alias), AfterCommit(bell, lambda call: on_commit(call, alias)), settings, url)


def _djangos() -> dict[str, object] | None:
    """Django's NEXUM dictionary; None outside a project. What `db upgrade` configures for itself has none."""
    by_name = bool(os.environ.get("DJANGO_SETTINGS_MODULE"))
    if not by_name and "django" not in sys.modules:
        return None
    from nexum.store.django import project_settings as found

    project = found()
    return None if project is None or not (project or by_name) else dict(project)
