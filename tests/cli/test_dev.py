"""`nexum dev` with real processes: old code lives on until its runs have ended, and nobody outlives the parent."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nexum.testing.services import free_port
from shopfloor import Shop
from waiting import until

PATIENT = """
from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel

from nexum import Workflow


class Name(BaseModel):
    name: str


class Text(BaseModel):
    text: str


agent = Workflow("Greeter", input=Name)


@agent.read()
def gate(input: Name) -> Text:
    deadline = time.monotonic() + 60
    while not Path(input.name).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return Text(text="open")


@agent.compute()
def greet(gate: Text) -> Text:
    return Text(text="hello, as it was")


greeter = agent.build()
"""
EDITED = PATIENT.replace("hello, as it was", "good day, as it is")
SPOILT = PATIENT.replace("def greet(gate: Text)", "def greet(gaet: Text)")


@pytest.fixture
def workshop(tmp_path: Path) -> Shop:
    """A shop without a database of its own: `dev` makes one."""
    made = Shop(tmp_path, migrated=False)
    (tmp_path / "pyproject.toml").write_text('[tool.nexum]\nmodules = ["shop_agents"]\n')
    made.write(PATIENT)
    return made


@contextmanager
def developing(shop: Shop, *words: str) -> Iterator[dict[str, Any]]:
    """`nexum dev` in the background, and its report."""
    said = shop.nexum("dev", "--background", "--port", str(free_port()), *words)
    assert said.code == 0, said
    try:
        yield said.json
    finally:
        end(said.json["pid"])


def end(pid: int) -> None:
    if is_alive(pid):
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_alive(pid), 20)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no corpse that nobody has buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(report: dict[str, Any]) -> list[int]:
    """The processes that `dev` keeps, and the worker's own children."""
    kept = [pid for pids in report["children"].values() for pid in pids]
    return kept + [child for pid in kept for child in children_of(pid)]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def log_of(report: dict[str, Any]) -> str:
    return Path(report["log"]).read_text()


def test_a_run_ends_on_the_version_it_began_with_and_the_next_gets_the_edit(workshop: Shop) -> None:
    with developing(workshop) as report:
        gate = workshop.folder / "open"
        first = workshop.nexum("start", "Greeter", "-p", f"name={gate}", "--json").json
        until(lambda: "running" in workshop.nexum("show", first["run_id"], "--json").out, 30)

        workshop.write(EDITED)
        until(lambda: "1 in flight on the old worker" in log_of(report), 60)
        second = workshop.nexum("start", "Greeter", "-p", f"name={gate}", "--json").json
        gate.touch()
        ended = [
            workshop.nexum("start", "Greeter", "-p", f"name={gate}", "--wait", "--timeout", "60s", "--json").json,
            *(waited(workshop, run["run_id"]) for run in (first, second)),
        ]

        assert first["version"] != second["version"]
        assert [run["result"][0]["value"]["text"] for run in ended[1:]] == ["hello, as it was", "good day, as it is"]
        assert ended[0]["result"] == {"text": "good day, as it is"}
        assert ended[1]["run"]["version"] == first["version"]
        until(lambda: f"no run is left, worker {report['children']['worker'][0]} ended" in log_of(report), 30)


def waited(shop: Shop, run_id: str) -> Any:
    """A run once it has completed."""
    return until(
        lambda: (found := shop.nexum("show", run_id, "--json").json)["run"]["status"] == "COMPLETED" and found, 60
    )


def test_a_change_that_does_not_compile_is_shown_and_changes_nothing(workshop: Shop) -> None:
    with developing(workshop) as report:
        workshop.write(SPOILT)
        until(lambda: "the build failed; Greeter@" in log_of(report), 60)
        gate = workshop.folder / "open"
        gate.touch()
        said = workshop.nexum("start", "Greeter", "-p", f"name={gate}", "--wait", "--timeout", "60s", "--json")

        assert "error[NX-B101]" in log_of(report)
        assert said.json["result"] == {"text": "hello, as it was"}
        assert is_alive(report["children"]["worker"][0])


def test_the_dashboard_answers_without_a_login_and_on_this_machine_only(workshop: Shop) -> None:
    with developing(workshop) as report:
        with urllib.request.urlopen(report["dashboard"]) as answer:
            page = answer.read().decode()
        port = int(report["dashboard"].split(":")[2].split("/")[0])
        bound = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if listens(line, port)]

        assert answer.status == 200
        assert "<html" in page
        assert bound == [f"0100007F:{port:04X}"]


def listens(line: str, port: int) -> bool:
    fields = line.split()
    return fields[3] == "0A" and fields[1].endswith(f":{port:04X}")


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "killed"])
def test_nobody_outlives_the_parent(workshop: Shop, order: signal.Signals) -> None:
    with developing(workshop, "--no-reload") as report:
        members = until(lambda: len(found := family(report)) > 3 and found, 30)
        assert all(map(is_alive, members))

        os.kill(report["pid"], order)

        until(lambda: not any(map(is_alive, [report["pid"], *members])), 20)


def test_a_worker_that_is_killed_is_replaced_and_its_run_goes_on(workshop: Shop) -> None:
    with developing(workshop, "--no-reload") as report:
        gate = workshop.folder / "open"
        first = workshop.nexum("start", "Greeter", "-p", f"name={gate}", "--json").json
        until(lambda: "running" in workshop.nexum("show", first["run_id"], "--json").out, 30)

        os.kill(report["children"]["worker"][0], signal.SIGKILL)
        gate.touch()

        assert waited(workshop, first["run_id"])["result"][0]["value"] == {"text": "hello, as it was"}
        assert "ended (signal 9)" in log_of(report)


def test_a_port_in_use_is_an_error_with_a_way_out(workshop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = workshop.nexum("dev", "--port", str(server.getsockname()[1]))

    assert said.code == 69
    assert "error[NX-F121]" in said.err
    assert "nexum dev --port" in said.err


def test_what_does_not_come_up_in_the_background_says_its_last_words(workshop: Shop) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"

    said = workshop.nexum("dev", "--background", "--port", str(free_port()), "--database", nowhere)

    assert said.code == 69
    assert "error[NX-F123]" in said.err
    assert "NX-S100" in said.err


def test_dev_keeps_away_from_production(workshop: Shop) -> None:
    (workshop.folder / "live.py").write_text("DEBUG = False\nINSTALLED_APPS = ['nexum_dashboard']\nSECRET_KEY = 'x'\n")

    said = workshop.nexum("dev", "--settings", "live")

    assert said.code == 78
    assert "error[NX-F122]: DEBUG is off in live" in said.err
