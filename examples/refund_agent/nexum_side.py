"""The contestant on Nexum: a scheduler, a worker that is killed, and runs that are started in this process."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from examples.refund_agent.agents import Claim, refund_agent
from examples.refund_agent.cases import Case
from examples.refund_agent.contest import Report, World, report, world
from examples.refund_agent.killing import Victim, armed
from examples.refund_agent.shop import ADDRESS
from nexum.client.connect import Connection, connect
from nexum.core.canonical import from_bytes
from nexum.settings import load_settings
from nexum.store.api import Store, VersionRow
from nexum.store.schema import upgrade

LEASE_SECONDS = 2  # how long a dead machine's work waits; 15 in production, where networks are worse than this one
_ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TERMINATED"})


def run_nexum(folder: Path, cases: tuple[Case, ...], *, seconds: float = 60.0) -> Report:
    """Run all cases, kill at the armed points, and stop when every run has ended, at the latest after `seconds`."""
    folder.mkdir(parents=True, exist_ok=True)
    points, _ = armed(folder, cases, model_case="02-not-eligible")
    database = os.environ.get("NEXUM_DATABASE") or f"sqlite:///{folder / 'nexum.sqlite3'}"
    upgrade(database)
    settings = load_settings(cli={"database": database, "broker": os.environ.get("NEXUM_BROKER", "none")})
    connection = connect(settings)
    store = connection.store
    tenant = f"demo-{uuid4().hex[:8]}"  # business keys live as long as the database: each demo is a shop of its own
    try:
        _register(store)
        with world(folder) as here:
            env = _environment(database, here)
            scheduler = Victim((sys.executable, "-m", "nexum", "scheduler"), env, _room(folder, "scheduler"), "")
            worker = Victim((sys.executable, "-m", "nexum", "worker"), env, folder, points)
            with scheduler, worker:
                began = time.monotonic()
                runs = {case.name: _start(connection, case, tenant) for case in cases}
                while time.monotonic() - began < seconds and not _all_ended(store, runs):
                    time.sleep(0.05)
                took = time.monotonic() - began
            statuses = {name: _status(store, run_id) for name, run_id in runs.items()}
            return report("Nexum", here, cases, statuses=statuses, kills=worker.kills, seconds=took)
    finally:
        connection.close()


def _register(store: Store) -> None:
    graph = refund_agent.graph
    row = VersionRow(graph.workflow, graph.version, "active", graph.data, "", "", "demo", 0)
    store.register(row, make_default=True)


def _start(here: Connection, case: Case, tenant: str) -> str:
    claim = Claim.model_validate(case.claim)
    return refund_agent.start(claim, run_key=case.name, tenant=tenant, actor="demo", connection=here).run_id


def _environment(database: str, here: World) -> Mapping[str, str]:
    return {
        ADDRESS: here.pay.url,
        "NEXUM_DATABASE": database,
        "NEXUM_BROKER": os.environ.get("NEXUM_BROKER", "none"),
        "NEXUM_WORKFLOWS": "examples.refund_agent.agents",
        "NEXUM_LEASE_SECONDS": str(LEASE_SECONDS),
        "NEXUM_SWEEP_SECONDS": "0.2",
        "NEXUM_PROCESSES": "2",
        "NEXUM_LLM": json.dumps({"openai": {"base_url": f"{here.model.url}/v1", "api_key": "demo"}}),
    }


def _room(folder: Path, name: str) -> Path:
    room = folder / name
    room.mkdir(exist_ok=True)
    return room


def _all_ended(store: Store, runs: Mapping[str, str]) -> bool:
    heads = (store.head(run_id) for run_id in runs.values())
    return all(head is not None and head.status in _ENDED for head in heads)


def _status(store: Store, run_id: str) -> str:
    """What the agent itself recorded as the outcome; the run's own status when it recorded none."""
    for row in store.events_after(run_id, 0):
        if row.type == "NodeCompleted" and row.path == "outcome":
            return str(from_bytes(row.payload)["status"])
    head = store.head(run_id)
    return head.status.lower() if head else ""
