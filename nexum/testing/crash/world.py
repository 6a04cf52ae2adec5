"""The processes of the world: database, broker, provider, worker, scheduler, web."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nexum.testing.crash.kept import Kept
from nexum.testing.crash.scenarios import Scenario
from nexum.testing.fakes.process import Fake, start
from nexum.testing.proxy import Proxy
from nexum.testing.services import (
    await_postgres,
    create_database,
    free_port,
    postgres_command,
    postgres_server,
    redis_binary,
)

POISON_AFTER = 20  # the monkey kills the oldest tasks' processes again and again, which no machine does
AGENTS = "nexum.testing.crash.agents"
FROZEN = "frozen"  # how the marker files of workers that stopped by themselves begin


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs; `processes` by role: worker, scheduler, web, redis, and what the scenario adds.

    `line` is the bad line to PostgreSQL, where there is one.
    """

    scenario: Scenario
    database: str
    broker: str
    provider: Fake
    web_url: str
    folder: Path
    ledger: Path
    processes: Mapping[str, Kept]
    line: Proxy | None


@contextmanager
def world(folder: Path, scenario: Scenario, *, kills: int, seed: int) -> Iterator[World]:
    """Start everything that the scenario needs; what stops by itself stops at most `kills` times."""
    ledger = folder / "ledger.jsonl"
    with ExitStack() as stack:
        kept: dict[str, Kept] = {}
        admin = _postgres(stack, folder, kept) if scenario.kept_postgres else stack.enter_context(postgres_server())
        database = create_database(admin, f"nexum_crash_{os.getpid()}")
        provider = start("fakepay", ledger=str(ledger), seed=str(seed), lag=str(scenario.lag))
        stack.callback(provider.stop)
        provider.post("/rules", [dict(rule) for rule in scenario.rules])
        redis_port, web_port = free_port(), free_port()
        line = stack.enter_context(_line(database, seed)) if scenario.lined else None
        broker = f"redis://127.0.0.1:{redis_port}/0"
        env = {
            "NEXUM_DATABASE": database,
            "NEXUM_BROKER": broker,
            "NEXUM_WORKFLOWS": AGENTS,
            "NEXUM_LEASE_SECONDS": str(scenario.lease),
            "NEXUM_SWEEP_SECONDS": "0.5",
            "NEXUM_POISON_AFTER": str(POISON_AFTER),
            "NEXUM_PROCESSES": "4",
            "NEXUM_CRASH_PROVIDER": provider.url,
        }
        _run(("-m", "nexum", "db", "upgrade"), env)
        _run(("-m", "nexum", "deploy"), env)
        at_line = {**env, "NEXUM_DATABASE": line.url(database)} if line is not None else env
        for name, (command, own) in _commands(redis_port, web_port, scenario, folder, kills).items():
            there = env if name == "scheduler" else at_line
            kept[name] = stack.enter_context(Kept(name, command, {**there, **own}, folder / f"{name}.log"))
        yield World(scenario, database, broker, provider, f"http://127.0.0.1:{web_port}", folder, ledger, kept, line)


def _commands(
    redis_port: int, web_port: int, scenario: Scenario, folder: Path, kills: int
) -> dict[str, tuple[tuple[str, ...], Mapping[str, str]]]:
    """What runs, with what only it is told."""
    python = sys.executable
    redis = (
        *(str(redis_binary()), "--port", str(redis_port), "--bind", "127.0.0.1"),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    )
    worker = (python, "-m", "nexum", "worker")
    stopping = {"NEXUM_CRASH": f"{scenario.point}:mode=stop,limit={kills},file={folder / FROZEN}"}
    found: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
        "redis": (redis, {}),
        "scheduler": ((python, "-m", "nexum", "scheduler"), {}),
        "worker": (worker, stopping if scenario.point else {}),
        "web": ((python, "-m", "nexum.testing.crash.web", str(web_port)), {}),
    }
    if scenario.point:  # somebody must go on while the first one stands still
        found["other worker"] = (worker, {})
    return found


def _postgres(stack: ExitStack, folder: Path, kept: dict[str, Kept]) -> str:
    """A PostgreSQL of our own, started again whenever it dies; gives an administrator's URL."""
    folder.chmod(0o755)  # the server may run as another user
    place = folder / "postgres"
    command, user, url = postgres_command(place)
    kept["postgres"] = stack.enter_context(Kept("postgres", command, {}, place / "server.log", user))
    await_postgres(url)
    return url


def _line(database: str, seed: int) -> Proxy:
    parts = urlsplit(database)
    return Proxy(parts.hostname or "127.0.0.1", parts.port or 5432, seed=seed)


def _run(arguments: tuple[str, ...], env: Mapping[str, str]) -> None:
    command = (sys.executable, *arguments)
    subprocess.run(command, env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
