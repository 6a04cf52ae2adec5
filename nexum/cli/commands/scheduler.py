"""`nexum scheduler`: fire timers, take up what was lost, tell workers again."""

from __future__ import annotations

import click

from nexum.cli.commands.worker import log_as_asked, wait_for_schema
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum_orchestrator.scheduler import run_scheduler


@verb("scheduler", short_help="Fire timers and take up what was lost.")
@click.option("--once", is_flag=True, help="One round, then end.")
@click.pass_obj
def command(choices: Choices, once: bool) -> int:
    """Sweep until told to stop: dead workers, due timers, mail that nobody took, tasks that nobody heard of.

    Several may run; each rule is applied by whoever comes first. It needs no code of yours.
    """
    log_as_asked(choices)
    project = open_project(choices)
    wait_for_schema(project, "scheduler")
    return run_scheduler(project.settings, once=once, database_url=project.url)
