"""Django's database connections in a worker: opened, checked and closed as Django does around a request.

The engine does not use them (it has connections of its own); handlers do, through the ORM. A connection that a child
inherits over a fork is the parent's: it is forgotten and never closed, for closing it would end the parent's session.

Every connection gets a wrapper around its queries once it is open, whichever thread opens it; it refuses them to compute
handlers and costs the others the look into one variable.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from nexum.errors import HandlerError
from nexum.sdk.tx import Tx
from nexum_workers.forking import keep_alive
from nexum_workers.guard import refuse

_READING = frozenset({"SELECT", "WITH", "VALUES", "SHOW", "EXPLAIN", "PRAGMA", "SET", "FETCH", "DECLARE", "CLOSE"})
_READING |= {"BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT"}  # around reads of another database
_CHANGING = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b", re.IGNORECASE)  # inside a WITH
_ENDING = frozenset({"BEGIN", "START", "COMMIT", "END", "ABORT", "PREPARE"})
_only: ContextVar[str | None] = ContextVar("nexum_only_alias", default=None)
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
    only = _only.get()
    if only is not None:
        _refuse_astray(only, context["connection"].alias, str(sql))
    return execute(sql, params, many, context)


def _refuse_astray(only: str, alias: str, sql: str) -> None:
    """Inside a transaction node: what it writes must be part of the transaction, and ending that is not its business."""
    words = sql.split(None, 2)
    first = words[0].upper().rstrip(";") if words else ""
    changes = first not in _READING or (first == "WITH" and _CHANGING.search(sql) is not None)
    if alias != only and changes:
        place = f"the alias {only!r}" if only else "its Tx"
        said = f"a transaction node wrote to the database {alias!r} of Django, outside its transaction on {place}"
        raise HandlerError(f"{said}: {sql[:160]}", code="NX-R230")
    if alias == only and (first in _ENDING or (first == "ROLLBACK" and words[1:2] != ["TO"])):
        raise HandlerError(f"a transaction node ended its own transaction: {sql[:160]}", code="NX-R231")


class _InDjango:
    """An open transaction of Django's; `committed` is set by the first of the hooks that run after the commit."""

    mean: Tx | None = None

    def __init__(self, alias: str) -> None:
        from nexum.store.django import store_on_django

        self.store = store_on_django(alias)
        self.committed = False
        self._driver: Any = None

    def began(self, driver: Any) -> None:
        """The transaction is open on this connection of the driver's."""
        self._driver = driver

    def hang_up(self) -> None:
        """Close the connection underneath, whoever uses it."""
        self._driver.close()

    def landed(self) -> None:
        """The commit has taken place."""
        self.committed = True


@contextmanager
def transaction(alias: str) -> Iterator[_InDjango]:
    """A transaction of Django's on this alias; nothing may be written on another one inside."""
    from django.db import connections
    from django.db import transaction as djangos

    opened = _InDjango(alias)
    with djangos.atomic(using=alias), writing_only_to(alias):
        opened.began(connections[alias].connection)
        djangos.on_commit(opened.landed, using=alias)
        yield opened


@contextmanager
def writing_only_to(alias: str) -> Iterator[None]:
    """Refuse to this thread what Django would write on any other alias ("": on every one)."""
    before = _only.set(alias)
    try:
        yield
    finally:
        _only.reset(before)


def alias_of(url: str, preferred: str) -> str:
    """The name under which Django knows the database at `url`; "" when it does not."""
    if not is_in_use():
        return ""
    from nexum.store.django import alias_of as djangos

    return djangos(url, preferred)


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
