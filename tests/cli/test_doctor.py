"""The doctor finds what was planted, and only that."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nexum.cli.doctor import installation
from nexum.cli.doctor.rebuild import compare
from nexum.cli.project import open_project
from nexum.cli.verb import Choices
from nexum.store.connect import open_store
from nexum.store.verbs import Verbs
from shopfloor import CHANGED, Shop
from waiting import until

HOUR = 3_600_000_000


def checks(shop: Shop, *words: str) -> dict[str, list[tuple[str, str]]]:
    """Level and code by check."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check in shop.nexum("doctor", "--json", *words).json["checks"]:
        found.setdefault(check["check"], []).append((check["level"], check["code"]))
    return found


def test_an_idle_shop_lacks_a_scheduler_and_workers(deployed: Shop) -> None:
    found = checks(deployed)

    assert found["scheduler"] == [("FAIL", "NX-F130")]
    assert found["workers"] == [("warn", "NX-D207")] * 2
    assert found["database"] == [("ok", "")]
    assert found["workflows"] == [("ok", "")] * 2


def test_a_run_without_a_worker_is_a_failure(busy: Shop) -> None:
    assert checks(busy)["workers"] == [("FAIL", "NX-W203")] * 2


def test_code_that_was_not_deployed_is_a_warning(deployed: Shop) -> None:
    deployed.write(CHANGED)

    assert sorted(checks(deployed)["workflows"]) == [("ok", ""), ("warn", "NX-D201")]


def test_a_database_that_does_not_answer_is_the_one_finding_about_it(shop: Shop) -> None:
    found = checks(shop, "--database", "postgresql://nobody@127.0.0.1:1/nothing")

    assert found["database"] == [("FAIL", "NX-S100")]
    assert "workers" not in found


def test_warnings_count_only_when_they_are_asked_for(deployed: Shop) -> None:
    with deployed.running("scheduler"), deployed.running("worker", "--processes", "1"):
        until(lambda: not {"warn", "FAIL"} & levels(checks(deployed), "workers", "scheduler"), 30)
        calm = deployed.nexum("doctor", "--json")
        deployed.write(CHANGED)
        strict = deployed.nexum("doctor", "--strict", "--json")

    assert (calm.code, strict.code) == (0, 5)


def levels(found: dict[str, list[tuple[str, str]]], *names: str) -> set[str]:
    return {level for name in names for level, _ in found.get(name, [])}


@pytest.fixture
def project(deployed: Shop, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(deployed.folder)
    for name in [name for name in os.environ if name.startswith(("NEXUM_", "DJANGO_"))]:
        monkeypatch.delenv(name)
    return open_project(Choices())


def test_clocks_that_differ_are_found(project: Any) -> None:
    store = open_store(project.url, clock=lambda: HOUR)
    object.__setattr__(project, "connection", type("Held", (), {"store": store}))

    found = {finding.check: finding.code for finding in installation.database(project)}

    assert found["clock"] == "NX-F131"
    store.close()


def test_an_old_sqlite_is_found(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation.sqlite3, "sqlite_version_info", (3, 40, 1))
    before = {finding.code for finding in installation.database(project)}
    monkeypatch.setattr(installation.sqlite3, "sqlite_version_info", (3, 51, 3))
    after = {finding.code for finding in installation.database(project)}

    assert before - after == {"NX-F132"}
    project.connection.close()


SPOILS: list[tuple[str, str, str]] = [
    ("a status", "UPDATE nexum_runs SET status = 'COMPLETED'", "runs.status is 'COMPLETED', should be 'RUNNING'"),
    ("a sequence", "UPDATE nexum_runs SET last_seq = 9", "runs.last_seq is 9, should be 2"),
    ("a hash", "UPDATE nexum_runs SET last_hash = x'00'", "runs.last_hash is 00, should be"),
    ("an error", "UPDATE nexum_runs SET error_code = 'NX-R200'", "runs.error_code is 'NX-R200', should be ''"),
    ("an end", "UPDATE nexum_runs SET ended_at = 5", "runs.ended_at is 5, and the run is RUNNING"),
    ("a lost task", "DELETE FROM nexum_tasks", "task ('greet', 1, -1, 1) is missing"),
    ("a task too many", "UPDATE nexum_tasks SET attempt = 2", "task ('greet', 1, -1, 2) should not be there"),
    ("a task's queue", "UPDATE nexum_tasks SET queue = 'x'", "task ('greet', 1, -1, 1) is ('compute', 'x'"),
    ("a timer", "INSERT INTO nexum_timers SELECT run_id, 'x', 1 FROM nexum_runs", "timer ('x',) should not be there"),
    ("an event", "DELETE FROM nexum_events WHERE seq = 1", "cannot be folded: [NX-S120]"),
]


@pytest.mark.parametrize(("what", "statement", "said"), SPOILS, ids=[spoil[0] for spoil in SPOILS])
def test_rebuilding_finds_a_row_that_does_not_follow_from_the_events(
    deployed: Shop, what: str, statement: str, said: str
) -> None:
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika").code == 0
    sound = rebuilt(deployed.url)
    spoil(deployed.database, statement)

    found = rebuilt(deployed.url)

    assert sound == (1, 0, [])
    assert found[:2] == (1, 0)
    assert any(said in line for line in found[2]), found


def rebuilt(url: str) -> tuple[int, int, list[str]]:
    store = open_store(url)
    assert isinstance(store, Verbs)
    found = compare(store)
    store.close()
    return found.runs, found.busy, found.differences


def spoil(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def test_a_run_with_mail_is_left_out(deployed: Shop) -> None:
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika").code == 0
    spoil(
        deployed.database,
        "INSERT INTO nexum_inbox (run_id, dedupe, type, body, payload, priority, actor, trace, at) "
        "SELECT run_id, 'cancel', 'CancelRequested', x'7b7d', x'', 0, '', '', 1 FROM nexum_runs",
    )

    assert rebuilt(deployed.url) == (1, 1, [])


def test_differences_are_listed_and_end_with_five(deployed: Shop) -> None:
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika").code == 0
    with deployed.running("scheduler"), deployed.running("worker", "--processes", "1"):
        assert deployed.nexum("start", "Angry", "-p", "name=x", "--wait", "--timeout", "30s").code == 3
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika", "--wait", "--timeout", "0").code == 75
    spoil(deployed.database, "DELETE FROM nexum_tasks")

    said = deployed.nexum("doctor", "--rebuild")

    assert said.code == 5
    assert "NX-X110" in said.out
    assert said.out.count("is missing") == 1
    assert "3 runs folded again, 1 difference" in said.out
