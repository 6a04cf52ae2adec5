"""Settings, database, broker."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from importlib import metadata

from nexum.broker.connect import broker_url
from nexum.broker.eviction import MemoryRule, memory_rule
from nexum.broker.lengths import QueueLengths
from nexum.cli.commands.db import shown
from nexum.cli.doctor.finding import WARN, Finding, from_error, ok, trouble
from nexum.cli.project import Project
from nexum.errors import NexumError
from nexum.store.postgres import PostgresStore
from nexum.store.schema import schema_version
from nexum.store.statement import Statement

SKEW = 2.0  # seconds between the database's clock and this machine's that nobody needs to know of
SAFE_SQLITE = (3, 51, 3)  # before, a writer and a checkpoint could damage the file in rare cases
_ISOLATION = Statement("SHOW default_transaction_isolation", sqlite="SELECT 'read committed'")
_SERVER = Statement("SHOW server_version", sqlite="SELECT sqlite_version()")


def settings(project: Project) -> Iterator[Finding]:
    """Where the settings come from."""
    if project.django:
        yield ok("django", f"settings {project.django} (from {project.django_from}), {metadata.version('django')}")
    else:
        yield ok("django", "no project; runs are started without one")
    places = sorted(set(project.settings.sources.values()))
    yield ok("settings", f"from {', '.join(places)}" if places else "all defaults")


def database(project: Project) -> Iterator[Finding]:
    """Whether it answers, has our schema, keeps our time and isolation."""
    try:
        project.check_schema()
    except NexumError as error:
        yield from_error("database", error)
        return
    store = project.any_store
    skew = abs(store.now() / 1_000_000 - time.time())
    with store.database.once() as tx:
        server, isolation = (str((tx.row(asked) or ("",))[0]) for asked in (_SERVER, _ISOLATION))
    yield ok("database", f"{store.dialect} {server}, {schema_version(store)} applied, {shown(project.url)}")
    if isinstance(store, PostgresStore):
        yield _functions(store)
    if isolation.lower() != "read committed":
        yield trouble("isolation", f"the default is {isolation}", "NX-S114")
    if skew > SKEW:
        yield trouble("clock", f"this machine is {skew:.1f} s away from the database", "NX-F131", level=WARN)
    if store.dialect == "sqlite" and sqlite3.sqlite_version_info < SAFE_SQLITE:
        safe = ".".join(map(str, SAFE_SQLITE))
        yield trouble("sqlite", f"{sqlite3.sqlite_version} is older than {safe}", "NX-F132", level=WARN)


def _functions(store: PostgresStore) -> Finding:
    if store.has_functions:
        return ok("functions", "a step is one round trip")
    said = "this role may not create functions: a step takes about 12 round trips instead of 1, a claim 4 or 5"
    return trouble("functions", said, "NX-S115", level=WARN)


def broker(project: Project) -> Iterator[Finding]:
    """Whether there is one, and whether it answers."""
    try:
        url = broker_url(project.settings)
        if not url:
            yield ok("broker", "none; workers ask the database")
            return
        lengths = QueueLengths(url)
        try:
            lengths.read(["nexum"])
        finally:
            lengths.close()
        rule = memory_rule(url)
    except NexumError as error:
        found = from_error("broker", error)
        yield found._replace(level=WARN) if error.code == "NX-Q205" else found
        return
    yield ok("broker", f"{shown(url)} answers")
    if rule is not None:
        yield _eviction(rule)


def _eviction(rule: MemoryRule) -> Finding:
    if rule.unknown:
        return ok("eviction", f"not known, Redis does not say ({rule.unknown}); maxmemory-policy should be noeviction")
    if rule.removes:
        told = "when it is full, messages could vanish; the sweeper would find their tasks again"
        return trouble("eviction", f"Redis has maxmemory-policy {rule.policy}: {told}", "NX-F310", level=WARN)
    return ok("eviction", f"Redis removes nothing: {rule.policy if rule.limit else 'it has no maxmemory'}")
