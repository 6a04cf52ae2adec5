"""`nexum worker`: execute the nodes of the versions that this code builds to."""

from __future__ import annotations

import logging
import sys

import click

from nexum.cli.given import seconds_of
from nexum.cli.project import Project, open_project
from nexum.cli.verb import Choices, verb
from nexum.logs import configure
from nexum.patience import patiently
from nexum.store.connect import open_store
from nexum.store.schema import check_schema
from nexum_workers.run import run_worker


@verb("worker", short_help="Execute the nodes of this code's versions.")
@click.option("--workflow", "-w", "names", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--version", default="", metavar="HASH", help="What this code must build to, or the beginning of it.")
@click.option("--processes", type=click.IntRange(1, 1024), help="Children; one for each CPU by default.")
@click.option("--slots", type=click.IntRange(1, 10_000), help="Handlers that one child runs at a time.")
@click.option("--exit-when-drained", is_flag=True, help="End with 0 when no run is left on these versions.")
@click.option("--drain-timeout", default="", metavar="DURATION", help="How long to drain; then exit code 75.")
@click.pass_obj
def command(
    choices: Choices,
    names: tuple[str, ...],
    version: str,
    processes: int | None,
    slots: int | None,
    exit_when_drained: bool,
    drain_timeout: str,
) -> int:
    """Serve the versions that this code builds to, until told to stop.

    A worker never registers a version: exit code 78 when the database does not know what this code builds to. SIGTERM:
    take nothing new, finish, exit 0; a second one: give up what is under way at once.
    """
    log_as_asked(choices)
    limit = seconds_of(drain_timeout) if drain_timeout else None
    project = open_project(choices)
    registry = project.registry()
    wait_for_schema(project, "worker")
    return run_worker(
        project.settings,
        registry,
        workflows=names,
        version=version,
        processes=processes or 0,
        slots=slots or 0,
        exit_when_drained=exit_when_drained,
        drain_timeout=limit,
        database_url=project.url,
    )


def log_as_asked(choices: Choices) -> None:
    """Log to standard error: JSON lines with `--json` or for a machine, readable lines for a person."""
    level = logging.WARNING if choices.quiet else logging.DEBUG if choices.verbose > 1 else logging.INFO
    configure(level, as_json=choices.json or not sys.stderr.isatty())


def wait_for_schema(project: Project, role: str) -> None:
    """Wait until the database answers. Raises `ConfigurationError` NX-S110 to NX-S112 when its schema does not fit."""
    project.check_there()
    store = open_store(project.url, role=role)
    try:
        patiently(lambda: check_schema(store), "the database")
    finally:
        store.close()
