"""The contestant on plain Celery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import redis

from examples.refund_agent.cases import ROOT, Case
from examples.refund_agent.celery_chain import TUNED
from examples.refund_agent.contest import Report, report, world
from examples.refund_agent.killing import Victim, armed
from examples.refund_agent.shop import ADDRESS

_WORKER = (
    "-m",
    "celery",
    "-A",
    "examples.refund_agent.celery_chain",
    "worker",
    "--pool",
    "prefork",
    "--concurrency",
    "2",
)
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
_START = """
import json, sys
from examples.refund_agent import celery_chain
for name, claim in json.load(sys.stdin):
    celery_chain.start(name, claim)
"""
DEFAULT_REDELIVERY = 3600  # seconds; Celery's visibility timeout on Redis when nobody tunes it


def run_chain(
    folder: Path, cases: tuple[Case, ...], *, name: str, redelivery: str, broker: str, patience: threading.Event
) -> Report:
    """Run all cases, kill at the armed points, and stop when all are finished, or when `patience` is over."""
    points, _ = armed(folder, cases, model_case="02-not-eligible")
    with world(folder) as here:
        env = {
            ADDRESS: here.pay.url,
            "CHAIN_MODEL_URL": f"{here.model.url}/v1",
            "CHAIN_BROKER": broker,
            "CHAIN_REDELIVERY": redelivery,
        }
        began = time.monotonic()
        claims = json.dumps([(case.name, case.claim) for case in cases]).encode()
        subprocess.run([sys.executable, "-c", _START], input=claims, env={**os.environ, **env}, cwd=ROOT, check=True)
        with (
            redis.Redis.from_url(broker) as connection,
            Victim((sys.executable, *_WORKER, *_QUIET), env, folder, points) as worker,
        ):
            while connection.hlen("claims") < len(cases) and not patience.wait(0.1):
                pass
            seconds = time.monotonic() - began
            done = {key.decode(): value.decode() for key, value in connection.hgetall("claims").items()}
        statuses = {case.name: done.get(case.name, "") for case in cases}
        waits = TUNED["visibility_timeout"] if redelivery == "tuned" else DEFAULT_REDELIVERY
        return report(name, here, cases, statuses=statuses, kills=worker.kills, seconds=seconds, waits=waits)


def state_lines(path: Path) -> int:
    """Lines between `# state` and `# end`: code, without blank lines, comments, docstrings and the markers."""
    counted, inside = 0, False
    for line in path.read_text("utf-8").splitlines():
        text = line.strip()
        if text in ("# state", "# end"):
            inside = text == "# state"
        elif inside and text and not text.startswith(("#", '"""')):
            counted += 1
    return counted
