"""The tutorial, walked: its commands in their order, with the provider and the worker killed where it says so."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from house import ROOT
from nexum.store.connect import open_store
from nexum.store.reading import RunQuery, RunRow, list_runs
from nexum.testing.fakes import process as fakes
from nexum.testing.services import free_port
from pages import blocks
from shopproject import SHOP, ShopProject
from waiting import until

TUTORIAL = ROOT / "docs" / "tutorial.md"


class Reader:
    """Somebody who types what the tutorial says, in a copy of the shop."""

    def __init__(self, folder: Path) -> None:
        code = folder / "shop"
        shutil.copytree(SHOP, code, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
        self.port = free_port()
        database = f"sqlite:///{folder / 'shop.db'}"
        payments = f"http://127.0.0.1:{self.port}"
        self.shop = ShopProject(folder, database, payments=payments, code=code)
        self.url = database
        self.steps = [
            shlex.split(command)[2:]
            for block in blocks(TUTORIAL, "console")
            for command in block.commands
            if command.startswith("python manage.py ")
        ]

    def types(self, *beginning: str) -> str:
        """The next command, which must begin like this; gives what it printed."""
        words = self.steps.pop(0)
        assert words[: len(beginning)] == list(beginning)
        if "dev" in words:
            words += ["--port", str(free_port())]
        return self.shop.manage(*words)

    def reads(self, wanted: str, *beginning: str) -> None:
        """The next command, typed again until it prints what is wanted: between two attempts a run is queued or running."""
        words = self.steps.pop(0)
        assert words[: len(beginning)] == list(beginning)
        until(lambda: wanted in self.shop.manage(*words), 60)

    def runs(self) -> list[RunRow]:
        """The runs in the database, newest first."""
        store = open_store(self.url)
        try:
            return list_runs(store, RunQuery(), limit=20)  # type: ignore[arg-type]
        finally:
            store.close()

    def ends(self, key: str) -> RunRow:
        """The run of this key once it has completed."""

        def found() -> list[RunRow]:
            return [row for row in self.runs() if row.run_key == key and row.status == "COMPLETED"]

        return until(found, 60, every=0.2)[0]

    @contextmanager
    def provider(self) -> Iterator[fakes.Fake]:
        """The payment provider of the tutorial's second terminal."""
        ledger = str(self.shop.folder / "ledger.jsonl")
        with fakes.running("fakepay", port=str(self.port), ledger=ledger) as pay:
            yield pay


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    report = made.shop.code / ".nexum" / "dev.json"
    if report.exists():
        os.kill(json.loads(report.read_text())["pid"], signal.SIGTERM)
        until(lambda: not report.exists(), 30)


def test_the_tutorial_works_as_it_is_written(reader: Reader) -> None:
    reader.types("migrate")
    reader.types("loaddata")
    said = json.loads(reader.types("nexum", "dev", "--background"))

    reader.types("nexum", "start")
    reader.reads("Retrying", "nexum", "why", "@last")

    with reader.provider() as pay:
        first = reader.ends("claim:1")
        assert "Completed" in reader.types("nexum", "show", "@last")
        assert "has this key already" in reader.types("nexum", "start")
        reader.types("nexum", "start")
        reader.ends("claim:2")
        assert [act["body"]["order_id"] for act in pay.get("/ledger")] == ["1042"]

    reader.types("nexum", "start")
    os.kill(said["children"]["worker"][0], signal.SIGKILL)
    with reader.provider() as pay:
        reader.ends("claim:3")
        assert "Completed" in reader.types("nexum", "show", "@last")
        assert [act["body"]["order_id"] for act in pay.get("/ledger")] == ["1042", "1080"]

        _edit(reader)
        built = re.search(r"ShopRefund +(\w{8})", reader.types("nexum", "build"))
        assert built is not None
        assert built[1] not in first.version
        log = reader.shop.code / ".nexum" / "dev.log"
        until(lambda: built[1] in log.read_text(), 30)
        reader.types("nexum", "start")
        assert built[1] in reader.ends("claim:4").version
        assert built[1] in reader.types("nexum", "list")
    assert reader.steps == []


def _edit(reader: Reader) -> None:
    """The change that the tutorial asks for."""
    found = re.search(r"In `([\w./]+)` change `(.+?)` to `(.+?)`", TUTORIAL.read_text("utf-8"))
    assert found is not None
    file = reader.shop.code / found[1]
    text = file.read_text()
    assert text.count(found[2]) == 1
    file.write_text(text.replace(found[2], found[3]))
