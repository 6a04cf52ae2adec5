"""`nexum dev`: dashboard, scheduler and a worker on this machine, reloading on change."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from platform import python_version

import click

from nexum.cli.answer import Paper
from nexum.cli.commands.db import apply_migrations, shown
from nexum.cli.dev import background
from nexum.cli.dev.newsreel import Newsreel
from nexum.cli.dev.web import LOOPBACK, PATH
from nexum.cli.dev.workshop import Workshop, answers
from nexum.cli.exits import Exit
from nexum.cli.project import Project, open_project
from nexum.cli.verb import Choices, verb
from nexum.core.ids import short
from nexum.errors import ConfigurationError, UnavailableError
from nexum.settings import NO_BROKER
from nexum.store.address import parse
from nexum.store.connect import open_store
from nexum.version import __version__

PORT = 8765
TICK = 250  # milliseconds between two looks at the children


@verb("dev", short_help="Dashboard, scheduler and a worker on this machine, reloading on change.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Where the dashboard is.")
@click.option("--broker", default=NO_BROKER, metavar="URL", help="A broker; without one workers ask the database.")
@click.option("--no-reload", is_flag=True, help="Do not watch files.")
@click.option("--reset", is_flag=True, help="Begin with an empty database (SQLite only).")
@click.option(
    "--background", "detached", is_flag=True, help="Return when all is up; print pids and how to stop, as JSON."
)
@click.pass_obj
def command(choices: Choices, port: int, broker: str, no_reload: bool, reset: bool, detached: bool) -> int:
    """Serve the dashboard, run a scheduler and a worker, and build again whenever a file changes.

    Runs that were started before a change end on the version they began with; new runs get the new one. A change that does
    not compile is shown and changes nothing. Everything listens on this machine only and needs no login.
    """
    began = time.monotonic()
    project = open_project(choices)
    _refuse_production(project)
    if answers(port):
        raise UnavailableError(f"something listens on {LOOPBACK}:{port} already", code="NX-F121")
    if detached:
        return background.detach(port, choices.words)
    _prepare(project, reset=reset)
    paper = Paper(choices)
    store = open_store(project.url, role="dev")
    workshop = Workshop(store, environment(project, broker), port, paper.line)
    stopping = threading.Event()
    for order in (signal.SIGTERM, signal.SIGINT):
        signal.signal(order, lambda *_: stopping.set())
    try:
        _greet(paper, project, broker)
        workshop.open()
        _ready(paper, workshop, port, time.monotonic() - began)
        background.report_ready(background.REPORT, port, workshop.pids)
        newsreel = Newsreel(store, paper)
        for changed in _changes(stopping, watch=not no_reload):
            if changed:
                workshop.rebuild()
            workshop.tend()
            newsreel.look()
    finally:
        background.report_gone(background.REPORT)
        workshop.close()
        store.close()
    return Exit.DONE


def environment(project: Project, broker: str) -> dict[str, str]:
    """What children are told: the same database, the same project, the broker that was asked for."""
    told = {"NEXUM_BROKER": broker, "PYTHONUNBUFFERED": "1"}
    if project.django:
        told["DJANGO_SETTINGS_MODULE"] = project.django
    if not project.django or project.settings.database:
        told["NEXUM_DATABASE"] = project.url
    else:
        told["NEXUM_DATABASE_ALIAS"] = project.settings.database_alias
    return {**os.environ, **told}


def _refuse_production(project: Project) -> None:
    if not project.django:
        return
    from django.conf import settings

    if not settings.DEBUG and project.django != "nexum_dashboard.settings":
        raise ConfigurationError(f"DEBUG is off in {project.django}", code="NX-F122")


def _prepare(project: Project, *, reset: bool) -> None:
    file = parse(project.url).path
    if reset:
        if not file:
            raise ConfigurationError(f"--reset empties SQLite files only, not {shown(project.url)}", code="NX-F110")
        for suffix in ("", "-wal", "-shm"):
            Path(file + suffix).unlink(missing_ok=True)
    apply_migrations(project.url)


def _greet(paper: Paper, project: Project, broker: str) -> None:
    told = "no broker (workers ask the database)" if broker == NO_BROKER else "with a broker"
    python, django = python_version(), metadata.version("django")
    paper.line(f"nexum {__version__}  python {python}  django {django}  {shown(project.url)}  {told}")


def _ready(paper: Paper, workshop: Workshop, port: int, seconds: float) -> None:
    paper.line(f"  dashboard  http://{LOOPBACK}:{port}{PATH}   (no login, this machine only)")
    for bench in workshop.benches:
        names = ", ".join(f"{name}@{short(version)}" for name, version in bench.built.versions.items())
        paper.line(f"  worker     pid {bench.worker.pid}  {names}")
    first = next((name for bench in workshop.benches for name in bench.built.versions), "WORKFLOW")
    paper.line(f"ready in {seconds:.1f} s. Try:  nexum start {first} --input @input.json   Ctrl-C ends everything")


def _changes(stopping: threading.Event, *, watch: bool) -> Iterator[bool]:
    """Whether Python files below the working directory changed, once every tick, until told to stop."""
    if not watch:
        while not stopping.wait(TICK / 1000):
            yield False
        return
    import watchfiles

    looks = watchfiles.watch(
        ".",
        watch_filter=watchfiles.PythonFilter(extra_extensions=("pyproject.toml",)),
        stop_event=stopping,
        rust_timeout=TICK,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for found in looks:
        yield bool(found)
