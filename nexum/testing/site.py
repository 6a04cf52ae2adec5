"""The standalone site in a process of its own, for browsers and fuzzers that want a real address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from nexum.errors import UnavailableError

PATIENCE = 30.0  # seconds until the first answer
ROOMS = ("nexum", "nexum_dashboard", "nexum_migrations", "nexum_orchestrator", "nexum_workers")


@contextmanager
def serving(database: str, folder: Path, *, login: bool = False, more: str = "") -> Iterator[str]:
    """The address of the dashboard (`http://127.0.0.1:.../nexum`) on this database, until the context is left.

    With `login` nobody is let in without user or token. `more` are lines of Django settings; modules that they name may lie
    in `folder`. Raises `UnavailableError` NX-F503 when it does not answer.
    """
    env = environment(database, folder, login=login, more=more)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [sys.executable, "-m", "django", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"]
    with (folder / "site.log").open("wb") as log:
        server = subprocess.Popen(serve, env=env, cwd=folder, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 (our own)
    try:
        url = f"http://127.0.0.1:{port}/nexum"
        _wait(server, f"{url}/api/v1/openapi.json", folder / "site.log")
        yield url
    finally:
        server.terminate()
        server.wait(10)


def environment(database: str, folder: Path, *, login: bool, more: str) -> dict[str, str]:
    """The environment of a process of the site; its settings module is written into `folder`."""
    lines = (
        "from nexum_dashboard.settings import *  # noqa: F403",
        f"NEXUM_NO_LOGIN = {not login}",
        "DEBUG = False",
        more,
    )
    (folder / "site_settings.py").write_text("\n".join(lines) + "\n", "utf-8")
    places = [str(folder), *dict.fromkeys(_place(room) for room in ROOMS)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUM_", "DJANGO_"))}
    return {
        **kept,
        "NEXUM_DATABASE": database,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONPATH": os.pathsep.join(places),
    }


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > until:
            last = log.read_text("utf-8", "replace")[-2_000:]
            raise UnavailableError(f"the site does not answer: {last}", code="NX-F503")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (an address of our own)
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _place(package: str) -> str:
    """The folder in which a package lies."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise UnavailableError(f"the package {package} is not installed", code="NX-F503")
    return str(Path(found.origin).parent.parent)
