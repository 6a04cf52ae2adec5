"""A Django site of one model, whose workflow books through the ORM; a real worker serves it in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fleet import ROOMS
from nexum.broker.local import bell_directory
from nexum.client.start import StartRequest, start
from nexum.store.api import Store
from nexum.store.connect import open_store

SETTINGS = """
import os
from nexum.store.django import database_settings

SECRET_KEY = "for a test"
USE_TZ = True
INSTALLED_APPS = ["nexum_dashboard", "ledger"]
DATABASES = {"default": database_settings(os.environ["LEDGER_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
NEXUM = {}
"""
MODELS = """
from django.db import models

class Entry(models.Model):
    number = models.CharField(max_length=20)
"""
AGENTS = """
import threading
from datetime import timedelta
from pydantic import BaseModel
from nexum import Context, Retry, Timeouts, Workflow
from ledger.models import Entry

class Order(BaseModel):
    number: str

class Booking(BaseModel):
    id: int

books = Workflow("Books", input=Order)

@books.read()
def look(order: Order) -> Order:
    return order

@books.transaction(retry=Retry(max_attempts=2, first_wait=timedelta(milliseconds=10)))
def book(look: Order) -> Booking:
    return Booking(id=Entry.objects.create(number=look.number).pk)

@books.compute()
def count(book: Booking) -> int:
    return 1

books = books.build()
slow = Workflow("Slow", input=Order)

@slow.transaction(
    retry=Retry(max_attempts=2, first_wait=timedelta(milliseconds=10)),
    timeouts=Timeouts(start_to_close=timedelta(milliseconds=400)),
)
def crawl(order: Order, ctx: Context) -> Booking:
    entry = Entry.objects.create(number=order.number)
    if ctx.attempt == 1:
        threading.Event().wait()
    return Booking(id=entry.pk)

slow = slow.build()
"""
DJANGO = "import django; django.setup()\n"
MIGRATE = (
    DJANGO
    + """
from django.core.management import call_command
call_command("migrate", verbosity=0, run_syncdb=True)
from ledger.agents import books, slow
from nexum.store.api import VersionRow
from nexum.store.connect import open_store
import os
for built in (books, slow):
    row = VersionRow(built.name, built.version, "default", built.graph.data, "", "", "test", 0)
    open_store(os.environ["LEDGER_DATABASE"]).register(row, make_default=True)
"""
)
WORKER = (
    DJANGO
    + """
import os, sys
from nexum.sdk.registry import discover
from nexum.settings import Settings
from nexum_workers.run import run_worker
settings = Settings(broker="none", lease_seconds=3)
sys.exit(run_worker(settings, discover(["ledger.agents"]), processes=1, database_url=os.environ["LEDGER_DATABASE"]))
"""
)


class LedgerShop:
    """The site in a folder, on a migrated database, and at most one worker."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder / "site"
        app = self._folder / "ledger"
        app.mkdir(parents=True)
        for name, text in {"__init__": "", "models": MODELS, "agents": AGENTS}.items():
            (app / f"{name}.py").write_text(text)
        (self._folder / "ledgersite.py").write_text(SETTINGS)
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run([sys.executable, "-c", MIGRATE], env=self._env(""), check=True, timeout=60)
        self.store: Store = open_store(url)

    def worker(self, armed: str) -> None:
        """Start a worker that is killed where `armed` says."""
        with (self._folder / "worker.txt").open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", WORKER], env=self._env(armed), stdout=out, stderr=out
            )

    def start(self, number: str, workflow: str = "Books") -> str:
        """Start a run; gives its id."""
        return start(self.store, StartRequest(workflow, {"number": number})).run_id

    def status(self, run: str) -> str:
        """Where a run stands."""
        head = self.store.head(run)
        assert head is not None
        return head.status

    def entries(self) -> int:
        """How many rows the ORM has written."""
        with self.store.database.once() as tx:  # type: ignore[attr-defined]
            return int(tx.execute("SELECT count(*) FROM ledger_entry").fetchone()[0])

    def said(self) -> str:
        """What the worker has written."""
        return (self._folder / "worker.txt").read_text()

    def close(self) -> None:
        """Kill the worker; its children go with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        self.store.close()
        shutil.rmtree(bell_directory(self.url), ignore_errors=True)

    def _env(self, armed: str) -> dict[str, str]:
        path = os.pathsep.join([str(self._folder), *ROOMS])
        made = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "ledgersite", "LEDGER_DATABASE": self.url}
        return {**os.environ, **made, "NEXUM_CRASH": armed}
