"""Where the database is, and starting a run from a process of one's own: a Django project, a script."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from nexum.client.connect import AfterCommit, canonical, connect, database_url
from nexum.errors import ConfigurationError
from nexum.settings import Settings
from nexum.store.api import TaskKey
from shopfloor import AGENTS, Shop

KEY = TaskKey("run", "node", 1, -1, 1)

SETTINGS = """
SECRET_KEY = "x"
DEBUG = True
USE_TZ = True
INSTALLED_APPS = ["nexum_dashboard", "kiosk"]
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3", "NAME": {file!r}, "OPTIONS": {{"transaction_mode": "IMMEDIATE"}}}}}}
NEXUM = {{"BROKER": "none", "TENANT": "kiosk"}}
"""
SCRIPT = """
import django
django.setup()
from django.db import transaction
from kiosk.agents import greeter
from nexum.client import connect as room

rung = []
held = room.connect()
object.__setattr__(held.doorbell, "_bell", type("Bell", (), {"ring": lambda self, queue, key: rung.append(queue)})())
try:
    with transaction.atomic():
        greeter.start({"name": "lost"}, run_key="lost")
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
after_rollback = list(rung)
with transaction.atomic():
    run = greeter.start({"name": "kept"}, run_key="kept")
    before_commit = list(rung)
print(after_rollback, before_commit, len(rung), run.describe()["tenant"], run.status())
"""


@pytest.fixture
def kiosk(tmp_path: Path) -> Shop:
    """A Django project with one app that has `agents.py`."""
    made = Shop(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.nexum]\nsettings = "kiosk.settings"\n')
    (tmp_path / "kiosk").mkdir()
    (tmp_path / "kiosk" / "__init__.py").touch()
    (tmp_path / "kiosk" / "settings.py").write_text(SETTINGS.format(file=str(made.database)))
    (tmp_path / "kiosk" / "agents.py").write_text(AGENTS.replace("input=Name", "input=Name"))
    return made


def test_in_a_django_project_agents_are_found_and_its_database_is_used(kiosk: Shop) -> None:
    built = kiosk.nexum("build", "--json")
    deployed = kiosk.nexum("deploy", "--json")
    started = kiosk.nexum("start", "Greeter", "-p", "name=Mika", "--json")
    doctor = kiosk.nexum("doctor", "--json")

    assert [row["workflow_id"] for row in built.json["workflows"]] == ["Angry", "Greeter"]
    assert (deployed.code, started.code) == (0, 0)
    assert rows(kiosk, "SELECT run_id, tenant FROM nexum_runs") == [(started.json["run_id"], "kiosk")]
    assert "settings kiosk.settings (from [tool.nexum])" in doctor.json["checks"][0]["text"]


def test_manage_py_nexum_sees_the_same_project(kiosk: Shop) -> None:
    said = kiosk.python("-m", "django", "nexum", "deploy", env={"DJANGO_SETTINGS_MODULE": "kiosk.settings"})

    assert said.code == 0
    assert rows(kiosk, "SELECT workflow FROM nexum_versions ORDER BY workflow") == [("Angry",), ("Greeter",)]


def test_a_start_joins_the_transaction_and_rings_after_its_commit(kiosk: Shop) -> None:
    assert kiosk.nexum("deploy").code == 0

    said = kiosk.python("-c", SCRIPT, env={"DJANGO_SETTINGS_MODULE": "kiosk.settings"})

    assert said.out.split("\n")[0] == "[] [] 1 kiosk RUNNING", said.err
    assert rows(kiosk, "SELECT run_key FROM nexum_runs") == [("kept",)]


def test_a_django_project_under_worker_and_scheduler(kiosk: Shop) -> None:
    assert kiosk.nexum("deploy").code == 0
    with kiosk.running("worker", "--processes", "1"), kiosk.running("scheduler"):
        said = kiosk.nexum("start", "Greeter", "-p", "name=Mika", "--wait", "--timeout", "30s", "--json")

    assert said.json["result"] == {"text": "hello Mika"}


def rows(shop: Shop, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(shop.database) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


@pytest.fixture
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project around: neither environment nor pyproject.toml says anything."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("NEXUM_", "DJANGO_"))]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_nowhere")
def test_without_a_project_the_database_is_a_file_of_this_folder(tmp_path: Path) -> None:
    assert database_url(Settings()) == f"sqlite:///{tmp_path}/.nexum/dev.sqlite3"


@pytest.mark.usefixtures("_nowhere")
def test_one_file_has_one_address_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relative = canonical("sqlite:///shop.sqlite3")
    monkeypatch.chdir("/")

    assert relative == canonical(f"sqlite:///{tmp_path}/shop.sqlite3")


@pytest.mark.usefixtures("_nowhere")
def test_a_process_has_one_connection_for_an_address(tmp_path: Path) -> None:
    here = Settings(database=f"sqlite:///{tmp_path}/a.sqlite3")
    there = Settings(database=f"sqlite:///{tmp_path}/b.sqlite3")

    first, again, other = connect(here), connect(here), connect(there)
    first.close()
    later = connect(here)

    assert first is again
    assert other is not first
    assert later is not first
    for held in (other, later):
        held.close()


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        database_url(Settings(database="oracle://shop"))

    assert caught.value.code == "NX-S113"


def test_a_ring_waits_for_the_commit() -> None:
    rung: list[str] = []
    waiting: list[object] = []

    class Bell:
        def ring(self, queue: str, key: TaskKey) -> None:
            rung.append(queue)

        def close(self) -> None:
            rung.append("closed")

    bell = AfterCommit(Bell(), waiting.append)
    bell.ring("Greeter@1", KEY)
    assert rung == []

    for call in waiting:
        assert callable(call)
        call()
    bell.close()

    assert rung == ["Greeter@1", "closed"]
