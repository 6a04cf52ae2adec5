"""Start a broker if none is given, a worker, Flower, and one run; end with Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from examples.flower.agents import Parcel, parcel
from nexum.client.connect import connect
from nexum.errors import UnavailableError
from nexum.settings import load_settings
from nexum.store.api import VersionRow
from nexum.store.schema import upgrade
from nexum.testing.arguments import Arguments
from nexum.testing.services import redis_server

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60.0  # seconds until Flower knows the worker


def main() -> int:
    """Run until interrupted; gives the exit code."""
    given = arguments_of()
    stop = threading.Event()
    for order in (signal.SIGINT, signal.SIGTERM):
        signal.signal(order, lambda *_: stop.set())
    with ExitStack() as held:
        broker = given.broker or held.enter_context(redis_server())
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="nexum-flower-", ignore_cleanup_errors=True))
        told = {
            "NEXUM_DATABASE": f"sqlite:///{folder}/runs.sqlite3",
            "NEXUM_BROKER": broker,
            "NEXUM_WORKFLOWS": "examples.flower.agents",
        }
        env = {**os.environ, **told, "FLOWER_UNAUTHENTICATED_API": "true", "PYTHONPATH": str(ROOT)}
        _register(told)
        celery = [sys.executable, "-m", "celery", f"--broker={broker}", "flower", "--address=127.0.0.1"]
        held.enter_context(_process([*celery, f"--port={given.port}", "--logging=error"], env))
        url = f"http://127.0.0.1:{given.port}"
        _wait_for(f"{url}/api/tasks", lambda answer: answer.is_success, stop)
        held.enter_context(_process([sys.executable, "-m", "nexum", "worker", "--processes", "1"], env))
        _wait_for(f"{url}/workers?json=1", lambda answer: "nexum-" in answer.text, stop)
        run_id = _start(told)
        sys.stdout.write(f"run {run_id}\nFlower {url}/tasks   API {url}/api/tasks   Ctrl-C ends everything\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _register(told: Mapping[str, str]) -> None:
    upgrade(told["NEXUM_DATABASE"])
    connection = connect(load_settings(env=told))
    graph = parcel.graph
    row = VersionRow(graph.workflow, graph.version, "active", graph.data, "", "", "make flower", 0)
    connection.store.register(row, make_default=True)
    connection.close()


def _start(told: Mapping[str, str]) -> str:
    connection = connect(load_settings(env=told))
    try:
        run = parcel.start(Parcel(number="P-1", grams=1200), run_key="parcel:P-1", connection=connection)
        run.wait(PATIENCE)
        return run.run_id
    finally:
        connection.close()


def _wait_for(url: str, is_there: Callable[[httpx.Response], bool], stop: threading.Event) -> None:
    """Ask until the answer is right. Raises `UnavailableError` when it never is."""
    deadline = time.monotonic() + PATIENCE
    while not stop.wait(0.2):
        try:
            answer = httpx.get(url, timeout=5)
        except httpx.HTTPError:
            answer = None
        if answer is not None and is_there(answer):
            return
        if time.monotonic() > deadline:
            raise UnavailableError(f"{url} does not answer as expected after {PATIENCE:g} s")


@contextmanager
def _process(command: list[str], env: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, env=dict(env))
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process with 64 where it is not understood."""
    parser = Arguments("flower", description=__doc__)
    parser.add_argument(
        "--broker", default=os.environ.get("BROKER", ""), help="a broker's URL; else a Redis of its own"
    )
    parser.add_argument("--port", type=int, default=5555)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
