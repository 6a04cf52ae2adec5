"""A shop in a folder of its own, and the command line as somebody in that folder runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databases import fresh_sqlite

ROOT = Path(__file__).parent.parent
UNWANTED = ("NEXUM_", "DJANGO_", "COLUMNS", "NO_COLOR", "FORCE_COLOR")  # xdist says how many columns its workers have
ROOMS = (ROOT, *(ROOT / room for room in ("workers", "orchestrator", "dashboard", "migrations")))

AGENTS = """
from __future__ import annotations

import os
import re
import time

from pydantic import BaseModel

from nexum import Fail, Workflow


class Name(BaseModel):
    name: str
    amount: int = 1


class Text(BaseModel):
    text: str


agent = Workflow("Greeter", input=Name)


@agent.compute()
def greet(input: Name) -> Text:
    return Text(text=f"hello {input.name}")


greeter = agent.build()

angry = Workflow("Angry", input=Name)


@angry.read()
def refuse(input: Name) -> Text:
    raise Fail("no")


angry = angry.build()
"""
CHANGED = AGENTS.replace("hello {", "good day {")
BROKEN = AGENTS.replace("def greet(input: Name)", "def greet(nobody: Text)")


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


class Shop:
    """A folder with a pyproject.toml, a module of workflows and a SQLite database."""

    def __init__(self, folder: Path, *, migrated: bool = True) -> None:
        self.folder = folder
        self.agents = folder / "shop_agents.py"
        self.log = folder / "running.log"
        self.write(AGENTS)
        self.url = fresh_sqlite(folder) if migrated else f"sqlite:///{folder}/missing.sqlite3"
        (folder / "pyproject.toml").write_text(f'[tool.nexum]\nmodules = ["shop_agents"]\ndatabase = "{self.url}"\n')

    def copy_database_of(self, other: Shop) -> None:
        """Begin with what another shop has; nobody may be at work in it."""
        with sqlite3.connect(other.database) as source, sqlite3.connect(self.database) as target:
            source.backup(target)
        source.close()
        target.close()

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix("sqlite:///"))

    def write(self, code: str) -> None:
        """Change the workflows."""
        self.agents.write_text(code)

    def nexum(self, *words: str, env: Mapping[str, str] | None = None, input: str = "") -> Answer:  # noqa: A002
        """Run one command and wait for it."""
        return self.python("-m", "nexum", *words, env=env, input=input)

    def python(self, *words: str, env: Mapping[str, str] | None = None, input: str = "") -> Answer:  # noqa: A002
        """Run Python in the shop's folder."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment(env),
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *words: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; it is ended when the block is left, by force after ten seconds."""
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "nexum", *words],
                cwd=self.folder,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            killer = threading.Timer(10, process.kill)
            killer.start()
            process.wait()
            killer.cancel()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: ours without what changes answers, with the rooms on the import path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    kept |= {"PYTHONPATH": os.pathsep.join(map(str, ROOMS)), "TZ": "UTC", "PYTHONWARNINGS": "default"}
    return {**kept, **(more or {})}


def masked(text: str) -> str:
    """Output with ids, versions, times and durations replaced by words of the same length where columns depend on it."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", "<an id of thirty-six characters.....>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0000", "2026-01-02 03:04:05+0000", text)
    text = re.sub(r"\b\d\d-\d\d \d\d:\d\d$", "01-02 03:04", text, flags=re.MULTILINE)
    text = re.sub(r"\b\d+\.\d s\b", "0.0 s", text)
    return re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b", "12345678", text)
