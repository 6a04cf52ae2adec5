"""Where this web process finds its runs: the store on Django's connection, the doorbell, the settings."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from nexum.client.connect import Connection, connect, project_settings
from nexum.settings import Settings
from nexum.store.verbs import Verbs

PATIENCE = 5.0  # seconds after which a read for a page is given up


@lru_cache(maxsize=1)
def chosen() -> Settings:
    """The settings of this process; read once, because they stand in files."""
    return project_settings()


def connection() -> Connection:
    """The connection of this process."""
    return connect(chosen())


def store() -> Verbs:
    """The store that pages, lists and metrics read from: no read holds a thread of the web server for long."""
    return cast("Verbs", connection().store).within(PATIENCE)
