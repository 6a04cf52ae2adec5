"""Verbs on Django's own connection: what is started inside `atomic()` belongs to the caller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.checks import CheckMessage
from django.db import connections, router, transaction
from django.db.utils import ConnectionHandler
from django.test import override_settings

from nexum.errors import ConfigurationError, InternalError, UnavailableError
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.django import (
    agent_modules,
    database_settings,
    database_url,
    on_commit,
    project_settings,
    store_on_django,
)
from store_rows import QUEUE, advance, completed, mail, record, start, start_row, task

ALIAS = "shop"


class Undone(Exception):
    """What a shop's view raises."""


@pytest.fixture
def joined(url: str) -> Iterator[Store]:
    """A store on a Django connection."""
    entry = ConnectionHandler({"default": {"ENGINE": "django.db.backends.dummy"}, ALIAS: database_settings(url)})
    connections.settings[ALIAS] = entry.settings[ALIAS]
    yield store_on_django(ALIAS)
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.settings[ALIAS]


@pytest.fixture
def outside(url: str) -> Iterator[Store]:
    """Another process's view of the same database."""
    opened = open_store(url)
    yield opened
    opened.close()


def test_a_run_started_in_a_transaction_is_seen_outside_once_it_commits(joined: Store, outside: Store) -> None:
    with transaction.atomic(using=ALIAS):
        started = joined.start(start_row(run_key="order-1", new_tasks=()))
        assert joined.head(started.run_id)
        assert outside.head(started.run_id) is None

    assert outside.head(started.run_id)


def test_a_rollback_takes_run_key_and_mail_back(joined: Store, outside: Store) -> None:
    head = start(outside)

    with pytest.raises(Undone), transaction.atomic(using=ALIAS):  # noqa: PT012
        joined.start(start_row(run_key="order-1"))
        assert joined.post(mail(head.run_id, "signal"))
        raise Undone

    assert not outside.has_mail(head.run_id)
    assert not outside.start(start_row(run_key="order-1")).existing


def test_a_nested_savepoint_is_taken_back_alone(joined: Store, outside: Store) -> None:
    with transaction.atomic(using=ALIAS):
        kept = joined.start(start_row())
        with pytest.raises(Undone), transaction.atomic(using=ALIAS):  # noqa: PT012
            lost = joined.start(start_row())
            raise Undone
        again = joined.start(start_row(run_key="order-2"))

    assert outside.head(kept.run_id)
    assert outside.head(again.run_id)
    assert outside.head(lost.run_id) is None


def test_a_refused_row_leaves_the_callers_transaction_usable(joined: Store, outside: Store) -> None:
    with transaction.atomic(using=ALIAS):
        first = joined.start(start_row(run_id="twice"))
        with pytest.raises(InternalError, match="NX-S105"):
            joined.start(start_row(run_id="twice"))
        second = joined.start(start_row())

    assert outside.head(first.run_id)
    assert outside.head(second.run_id)


def test_a_run_key_joins_the_run_that_has_it(joined: Store) -> None:
    first = joined.start(start_row(run_key="order-1", input_hash="one"))

    with transaction.atomic(using=ALIAS):
        assert joined.start(start_row(run_key="order-1", input_hash="two")) == (first.run_id, True, "one")


def test_nothing_is_locked_or_advanced_inside_the_callers_transaction(joined: Store) -> None:
    made = task("inside")
    head = start(joined, made)
    moves = [
        lambda: joined.claim("s1", [QUEUE], 1),
        lambda: joined.claim_one("s1", made.key),
        lambda: joined.record(record(made.key)),
        lambda: joined.step(record(made.key), advance(head, completed(made.key))),
        lambda: joined.drain(head.run_id, wait=True).__enter__(),
    ]

    for move in moves:
        with transaction.atomic(using=ALIAS), pytest.raises(InternalError, match="NX-S108"):
            move()

    assert joined.claim_one("s1", made.key)


def test_outside_a_transaction_every_verb_works_on_djangos_connection(joined: Store, outside: Store) -> None:
    made = task("alone")
    head = start(joined, made)
    assert joined.claim_one("s1", made.key)

    answer = joined.step(record(made.key), advance(head, completed(made.key), drop_tasks=(made.key,)))
    with joined.drain(head.run_id, wait=True) as run:
        assert run is not None
        run.apply(advance(run.head, {"path": "b"}))

    assert answer.cas
    assert [event.seq for event in outside.events_after(head.run_id, 0)] == [1, 2, 3]
    assert joined.put_blob("default", b"x" * 9000)


def test_a_callback_runs_after_the_commit_and_never_after_a_rollback(joined: Store) -> None:
    called = []

    with transaction.atomic(using=ALIAS):
        on_commit(lambda: called.append("committed"), ALIAS)
        assert called == []
    with pytest.raises(Undone), transaction.atomic(using=ALIAS):  # noqa: PT012
        on_commit(lambda: called.append("rolled back"), ALIAS)
        raise Undone
    on_commit(lambda: called.append("at once"), ALIAS)

    assert called == ["committed", "at once"]


def test_the_projects_database_has_an_address(joined: Store, url: str) -> None:
    found = open_store(database_url(ALIAS))

    assert found.head("nobody") is None
    found.close()


def test_a_database_that_is_neither_is_refused(joined: Store) -> None:
    connections.settings["odd"] = ConnectionHandler({}).settings["default"]

    with pytest.raises(ConfigurationError, match="NX-S113"):
        store_on_django("odd")

    del connections["odd"]
    del connections.settings["odd"]


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    entry = database_settings("postgresql://nobody@127.0.0.1:1/none")
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.dummy"}, ALIAS: entry})
    connections.settings[ALIAS] = handler.settings[ALIAS]

    with pytest.raises(UnavailableError, match="NX-S100"):
        store_on_django(ALIAS).head("run")

    del connections[ALIAS]
    del connections.settings[ALIAS]


def test_the_projects_settings_are_found(joined: Store) -> None:
    assert project_settings() == {}
    with override_settings(NEXUM={"DATABASE": "shop"}):
        assert project_settings() == {"DATABASE": "shop"}


def test_the_agents_of_installed_apps_are_found(joined: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for app, file in (("orders_app", "agents.py"), ("plain_app", "views.py")):
        (tmp_path / app).mkdir()
        (tmp_path / app / "__init__.py").touch()
        (tmp_path / app / file).touch()
    monkeypatch.syspath_prepend(tmp_path)

    with override_settings(INSTALLED_APPS=["nexum_dashboard", "plain_app", "orders_app"]):
        assert agent_modules() == ["orders_app.agents"]


def problems() -> list[CheckMessage]:
    """What the system checks of the database say."""
    from nexum_dashboard.database_checks import check_router, check_sqlite_mode

    return [*check_router(None), *check_sqlite_mode(None)]


def test_another_database_without_a_router_is_e004(joined: Store) -> None:
    assert apps.is_installed("nexum_dashboard")

    with override_settings(NEXUM={"DATABASE": ALIAS}):
        assert [problem.id for problem in problems()] == ["nexum.E004"]
        kept, router.routers = router.routers, [_nexum_router()]
        assert problems() == []
        router.routers = kept
    with override_settings(NEXUM={"DATABASE": "missing"}):
        assert [problem.id for problem in problems()] == ["nexum.E004"]


def test_deferred_sqlite_transactions_are_w005(joined: Store) -> None:
    connections.settings[ALIAS] = {**connections.settings[ALIAS], "OPTIONS": {}}
    wanted = ["nexum.W005"] if connections[ALIAS].vendor == "sqlite" else []
    kept, router.routers = router.routers, [_nexum_router()]

    with override_settings(NEXUM={"DATABASE": ALIAS}):
        assert [problem.id for problem in problems()] == wanted
    router.routers = kept


def test_the_router_sends_nexums_tables_to_their_database_and_no_others() -> None:
    sender, run = _nexum_router(), apps.get_model("nexum", "Run")

    with override_settings(NEXUM={"DATABASE": ALIAS}):
        assert sender.db_for_read(run) == sender.db_for_write(run) == ALIAS
        assert sender.allow_migrate(ALIAS, "nexum") is True
        assert sender.allow_migrate("default", "nexum") is False
        assert sender.allow_migrate("default", "auth") is None
        assert sender.allow_relation(run(), run()) is True


def _nexum_router():  # type: ignore[no-untyped-def]
    from nexum_dashboard.routers import NexumRouter

    return NexumRouter()
