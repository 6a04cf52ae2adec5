"""The contestant on Nexum: a scheduler, a worker that is killed, and runs that are started in this process."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from examples.refund_agent.agents import Claim, refund_agent
from examples.refund_agent.cases import Case
from examples.refund_agent.contest import Report, World, report, world
from examples.refund_agent.killing import Victim, armed
from examples.refund_agent.shop import ADDRESS
from nexum.client.connect import Connection, connect
from nexum.client.runs import RunHandle
from nexum.core.graph.workflow import Graph
from nexum.core.run.state import Phase
from nexum.errors import NexumError
from nexum.settings import load_settings
from nexum.store.api import VersionRow
from nexum.store.schema import upgrade

LEASE_SECONDS = 2  # how long a dead machine's work waits; 15 in production, where networks are worse than this one


def run_nexum(folder: Path, cases: tuple[Case, ...], *, seconds: float = 60.0) -> Report:
    """Run all cases, kill at the armed points, and stop when every run has ended, at the latest after `seconds`."""
    folder.mkdir(parents=True, exist_ok=True)
    points, _ = armed(folder, cases, model_case="02-not-eligible")
    tenant = f"demo-{uuid4().hex[:8]}"  # business keys live as long as the database: each demo is a shop of its own
    with world(folder) as here:
        database = os.environ.get("NEXUM_DATABASE") or f"sqlite:///{folder.absolute() / 'nexum.sqlite3'}"
        env = environment(database, here, workflows="examples.refund_agent.agents")
        with opened(env, refund_agent.graph) as connection:
            scheduler = Victim((sys.executable, "-m", "nexum", "scheduler"), env, room(folder, "scheduler"), "")
            worker = Victim((sys.executable, "-m", "nexum", "worker"), env, folder, points)
            with scheduler, worker:
                began = time.monotonic()
                runs = {
                    case.name: refund_agent.start(
                        Claim.model_validate(case.claim), run_key=case.name, tenant=tenant, connection=connection
                    )
                    for case in cases
                }
                while time.monotonic() - began < seconds and not all(map(_has_ended, runs.values())):
                    time.sleep(0.05)
                took = time.monotonic() - began
            statuses = {name: _ended_as(run) for name, run in runs.items()}
        return report("Nexum", here, cases, statuses=statuses, kills=worker.kills, seconds=took, waits=LEASE_SECONDS)


@contextmanager
def opened(env: Mapping[str, str], graph: Graph) -> Iterator[Connection]:
    """The way to a migrated database that knows this version, for this process."""
    upgrade(env["NEXUM_DATABASE"])
    connection = connect(load_settings(env={name: env[name] for name in env if name.startswith("NEXUM_")}))
    try:
        row = VersionRow(graph.workflow, graph.version, "active", graph.data, "", "", "demo", 0)
        connection.store.register(row, make_default=True)
        yield connection
    finally:
        connection.close()


def environment(database: str, here: World, *, workflows: str) -> Mapping[str, str]:
    """What the demo's processes are told: where everything is, and to be quick."""
    return {
        ADDRESS: here.pay.url,
        "NEXUM_DATABASE": database,
        "NEXUM_BROKER": os.environ.get("NEXUM_BROKER", "none"),
        "NEXUM_WORKFLOWS": workflows,
        "NEXUM_LEASE_SECONDS": str(LEASE_SECONDS),
        "NEXUM_SWEEP_SECONDS": "0.2",
        "NEXUM_PROCESSES": "2",
        # the machine dies seven times in ten seconds; a task that was under way in five of these deaths is no murderer
        "NEXUM_POISON_AFTER": "20",
        "NEXUM_LLM": json.dumps({"openai": {"base_url": f"{here.model.url}/v1", "api_key": "demo"}}),
    }


def room(folder: Path, name: str) -> Path:
    """A folder in the folder, made."""
    made = folder / name
    made.mkdir(exist_ok=True)
    return made


def _has_ended(run: RunHandle) -> bool:
    return Phase(run.status()).is_ended


def _ended_as(run: RunHandle) -> str:
    """What the agent itself says of the claim: its outcome, the code of its failure, or nothing when it has not ended."""
    if not _has_ended(run):
        return ""
    try:
        return str(run.result()["status"])
    except NexumError as error:
        return error.code
