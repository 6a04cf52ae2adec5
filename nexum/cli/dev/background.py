"""`nexum dev --background`: the same in a process of its own, for CI; returns when everything is up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nexum.cli.answer import envelope, print_json
from nexum.cli.dev.web import LOOPBACK, PATH
from nexum.cli.exits import Exit
from nexum.errors import UnavailableError

FOLDER = Path(".nexum")
LOG = FOLDER / "dev.log"
REPORT = FOLDER / "dev.json"
PATIENCE = 60.0  # seconds until everything must be up
_FLAG = "--background"


def detach(port: int, words: Sequence[str]) -> int:
    """Start `nexum dev` again without the flag, wait for its report, print it. Raises `UnavailableError` NX-F123."""
    FOLDER.mkdir(exist_ok=True)
    REPORT.unlink(missing_ok=True)
    again = [word for word in words if word not in (_FLAG, "--json")]
    with LOG.open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 (ourselves, with the words we were given)
            [sys.executable, "-m", "nexum", *again],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    found = _awaited(child)
    child.returncode = 0  # it goes on without us, and nobody here will wait for it
    print_json(
        envelope(
            "nexum.dev/1",
            Exit.DONE,
            pid=child.pid,
            dashboard=f"http://{LOOPBACK}:{port}{PATH}",
            children=found["children"],
            log=str(LOG.absolute()),
            stop=f"kill {child.pid}",
        )
    )
    return Exit.DONE


def report_ready(path: Path, port: int, children: Mapping[str, Sequence[int]]) -> None:
    """Say, for whoever waits, that everything is up."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": os.getpid(), "port": port, "children": children}), "utf-8")
    fresh.replace(path)


def report_gone(path: Path) -> None:
    """Take our own report back."""
    if _read(path).get("pid") == os.getpid():
        path.unlink(missing_ok=True)


def _awaited(child: subprocess.Popen[bytes]) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE
    while True:
        found = _read(REPORT)
        if found.get("pid") == child.pid:
            return found
        if child.poll() is not None or time.monotonic() > until:
            child.terminate()
            last = LOG.read_text("utf-8", "replace")[-2000:].strip()
            raise UnavailableError(f"`nexum dev` did not come up; its last words: {last}", code="NX-F123")
        time.sleep(0.05)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found
