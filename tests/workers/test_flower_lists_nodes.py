"""`make flower`: Flower's own interface lists every node of a run by its name, also those that no message announced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from fleet import ROOMS
from house import ROOT
from nexum.testing.services import free_port
from waiting import until


def test_make_flower_starts_what_this_test_starts() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8")

    assert re.search(
        r"^flower: .*\n\t@BROKER='\$\(BROKER\)' \$\(BIN\)/python -m examples\.flower$", recipe, re.MULTILINE
    )


def test_flower_s_interface_lists_every_node_of_a_run(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(ROOMS), "BROKER": f"{redis_url.rpartition('/')[0]}/6"}
    said = tmp_path / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.flower", "--port", str(port)], cwd=ROOT, env=env, stdout=out, stderr=out
        )
    try:
        run = until(lambda: _line(said, process), 90)
        tasks = until(lambda: _four(port, run), 20, every=0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    assert sorted(task["name"] for task in tasks) == [
        "Parcel.hand_over",
        "Parcel.label",
        "Parcel.price",
        "Parcel.weighed",
    ]
    assert {task["state"] for task in tasks} == {"SUCCESS"}
    assert process.returncode == 0, said.read_text()


def _line(said: Path, process: subprocess.Popen[bytes]) -> str:
    """The run's id, once it has completed."""
    assert process.poll() is None, said.read_text()
    found = re.search(r"^run (\S+)$", said.read_text(), re.MULTILINE)
    return found[1] if found else ""


def _four(port: int, run: str) -> list[dict[str, str]]:
    """What Flower knows of this run, once it knows four nodes that have ended."""
    tasks = httpx.get(f"http://127.0.0.1:{port}/api/tasks", timeout=10).raise_for_status().json().values()
    mine = [task for task in tasks if run in task["args"] and task["state"] == "SUCCESS"]
    return mine if len(mine) == 4 else []
