"""Django's database connections in a worker: opened, checked and closed as Django does around a request.

The engine does not use them (it has connections of its own); handlers do, through the ORM. A connection that a child
inherits over a fork is the parent's: it is forgotten and never closed, for closing it would end the parent's session.

Every connection gets a wrapper around its queries once it is open, whichever thread opens it; it refuses them to compute
handlers and costs the others the look into one variable.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from nexum_workers.forking import keep_alive
from nexum_workers.guard import refuse

RECENT = 0.5  # seconds; a run that goes on in the same thread need not look twice between two of its handlers
_tidied = threading.local()


def is_in_use() -> bool:
    """Whether this process runs inside a configured Django; imports nothing of Django by itself."""
    return "django.conf" in sys.modules and bool(sys.modules["django.conf"].settings.configured)


def around_handlers() -> Callable[[], AbstractContextManager[object]]:
    """What to put around each call of a `def` handler: nothing without Django. Queries are guarded from now on."""
    if not is_in_use():
        return nullcontext
    _guard_queries()
    return tidy_connections


def _guard_queries() -> None:
    """Guard the connections that this thread has, and every one that is opened later."""
    from django.db import connections
    from django.db.backends.signals import connection_created

    connection_created.connect(_guard, dispatch_uid="nexum")
    for connection in connections.all(initialized_only=True):
        _guard(connection=connection)


def _guard(*, connection: Any, **_sent: object) -> None:
    if _refuse_when_pure not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_when_pure)


def _refuse_when_pure(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Django's wrapper around a query; the text that is shown holds no values."""
    refuse(f"the database: {str(sql)[:160]}")
    return execute(sql, params, many, context)


@contextmanager
def tidy_connections() -> Iterator[None]:
    """Drop connections of this thread that are too old or broken, before and after; before, unless it was just done."""
    from django.db import close_old_connections

    if time.monotonic() - getattr(_tidied, "at", 0.0) > RECENT:
        close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
        _tidied.at = time.monotonic()


def forget_inherited() -> None:
    """In a new child: let every connection be opened anew."""
    if not is_in_use():
        return
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        keep_alive(connection.connection)
        connection.connection = None
        connection.run_on_commit = []
        connection.savepoint_ids = []
        connection.in_atomic_block = False


def close_all() -> None:
    """At the end of a child: close the connections of this thread."""
    if is_in_use():
        from django.db import connections

        connections.close_all()
