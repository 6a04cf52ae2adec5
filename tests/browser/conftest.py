"""The standalone site in a process of its own, on a database with a run in every standing, and a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from house import ROOT
from nexum.store.connect import open_store
from nexum.store.django import migrate
from nexum.testing.samples import MINUTE, Clock, Stage, fill
from waiting import until

ROOMS = [ROOT, *(ROOT / name for name in ("dashboard", "workers", "migrations", "orchestrator"))]


@dataclass
class Site:
    """Where the site answers, and the stage whose runs it shows; `live` plays by the real clock."""

    url: str
    ids: dict[str, str]
    live: Stage


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site on a filled database."""
    folder = tmp_path_factory.mktemp("site")
    address = f"sqlite:///{folder / 'runs.sqlite3'}"
    migrate(address)
    clock = Clock(time.time_ns() // 1000 - 24 * MINUTE)
    filled = fill(open_store(address, clock=clock), clock, more=40)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "NEXUM_DATABASE": address,
        "DJANGO_SETTINGS_MODULE": "nexum_dashboard.settings",
        "PYTHONPATH": os.pathsep.join(map(str, ROOMS)),
    }
    serve = [sys.executable, "-m", "django", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(serve, env=env, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}/nexum"
        until(lambda: server.poll() is not None or answers(f"{url}/runs/"), 20)
        assert server.poll() is None, (folder / "server.log").read_text()
        live = Stage(open_store(address), Clock(0), session="worker-2-77")
        yield Site(url, filled.ids, live)
    finally:
        server.terminate()
        server.wait(10)


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator[Browser]:
    """A headless Chromium of the system; after the site, because Django refuses to migrate beside Playwright's loop."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found is not None, "no chromium on the PATH: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()
