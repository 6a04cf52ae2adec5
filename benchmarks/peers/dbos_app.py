"""DBOS, asked over standard input: one JSON command per line, one JSON answer per line. Runs in an environment of its own.

`python -m benchmarks.peers.dbos_app DATABASE_URL [queue]`, with the file of marks in the environment. Telemetry is off and
the log quiet; everything else is DBOS's default. A workflow is started in this process, which is its fastest way in; with
`queue` there is one that is polled every 10 ms, which is how another process gets a workflow executed.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.marks import mark

QUEUE = "bench"
POLL_SECONDS = 0.01


@DBOS.step()
def step(run: str, place: int) -> bool:
    """Mark and return."""
    mark(run, place)
    return True


@DBOS.workflow()
def chain(run: str, length: int) -> int:
    """Steps one after the other."""
    for place in range(length):
        step(run, place)
    return length


def sequence(runs: list[str], length: int) -> dict[str, Any]:
    """One workflow after the other."""
    for run in runs:
        with SetWorkflowID(run):
            chain(run, length)
    return {}


def at_once(runs: list[str], length: int) -> dict[str, Any]:
    """All workflows in flight together."""
    began = time.monotonic_ns()
    handles = []
    for run in runs:
        with SetWorkflowID(run):
            handles.append(DBOS.start_workflow(chain, run, length))
    for handle in handles:
        handle.get_result()
    return {"began": began, "ended": time.monotonic_ns()}


def queued(runs: list[str], length: int) -> dict[str, Any]:
    """One workflow after the other, through the queue; gives when each was enqueued."""
    began = []
    for run in runs:
        began.append(time.monotonic_ns())
        with SetWorkflowID(run):
            DBOS.enqueue_workflow(QUEUE, chain, run, length).get_result(polling_interval_sec=POLL_SECONDS)
    return {"began": began}


def begin(runs: list[str], length: int) -> dict[str, Any]:
    """Start workflows and do not wait for them."""
    began = time.monotonic_ns()
    for run in runs:
        with SetWorkflowID(run):
            DBOS.start_workflow(chain, run, length)
    return {"began": began}


def unfinished(runs: list[str], length: int) -> dict[str, Any]:
    """How many workflows have not succeeded."""
    states = [DBOS.retrieve_workflow(run).get_status().status for run in runs]
    return {"unfinished": sum(state != "SUCCESS" for state in states)}


COMMANDS = {act.__name__: act for act in (sequence, at_once, queued, begin, unfinished)}


def main(url: str, queue: str = "") -> None:
    """Answer commands until standard input closes."""
    config: DBOSConfig = {"name": "bench", "system_database_url": url, "log_level": "ERROR"}
    config |= {"enable_otlp": False, "run_admin_server": False, "application_version": "1", "executor_id": "bench"}
    DBOS(config=config)
    DBOS.launch()
    if queue:
        DBOS.register_queue(QUEUE, polling_interval_sec=POLL_SECONDS)
    answer({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        answer(COMMANDS[command["do"]](command["runs"], command["length"]))
    DBOS.destroy()


def answer(document: dict[str, Any]) -> None:
    """One line to whoever asked."""
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
