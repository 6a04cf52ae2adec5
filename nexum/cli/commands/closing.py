"""`nexum cancel` and `nexum terminate`: how people end a run."""

from __future__ import annotations

import sys

import click

from nexum.cli.acting import WHO, by, say, why
from nexum.cli.project import open_project
from nexum.cli.reference import find_run
from nexum.cli.verb import Choices, verb
from nexum.client.interventions import cancel as cancel_run
from nexum.client.interventions import check_typed
from nexum.client.interventions import terminate as terminate_run

CONFIRM = click.option(
    "--confirm", default="", metavar="ID", help="The run's short id; in a script, unless RUN is its whole id."
)


@verb("cancel", short_help="Ask a run to end, and undo what it has done.")
@click.argument("run")
@why(required=True)
@click.option("--no-compensate", is_flag=True, help="Leave what was done; without, it is undone.")
@CONFIRM
@WHO
@click.option("--yes", "-y", is_flag=True, help="Do not ask, even on a terminal; not enough for --no-compensate.")
@click.pass_obj
def cancel(choices: Choices, run: str, reason: str, no_compensate: bool, confirm: str, who: str, yes: bool) -> int:
    """Ask RUN to end: nothing new begins, effects under way are awaited, and what was done is undone.

    With --no-compensate it wants the run's short id typed, as `terminate` does.

    RUN is an id, its beginning or end, `key:order-1042`, `@last` or `@last:WORKFLOW`.
    """
    project = open_project(choices)
    run_id = find_run(project.store, run, choices.tenant)
    if no_compensate:
        _typed(choices, run_id, run, confirm, "is asked to end; what it has done stays done")
    elif sys.stdin.isatty() and not (yes or choices.json):
        click.echo(f"run {run_id} is asked to end; what it has done is undone where it can be", err=True)
        click.confirm("Do this?", default=False, abort=True, err=True)
    done = cancel_run(
        project.store,
        run_id,
        by(who, reason),
        compensate=not no_compensate,
        doorbell=project.connection.doorbell,
    )
    return say(choices, "cancel", done)


@verb("terminate", short_help="End a run at once; nothing is undone.")
@click.argument("run")
@why(required=True)
@CONFIRM
@WHO
@click.pass_obj
def terminate(choices: Choices, run: str, reason: str, confirm: str, who: str) -> int:
    """End RUN at once: nothing is awaited and nothing undone. Says which effects are in doubt as a result.

    On a terminal it wants the run's short id typed. Elsewhere RUN must be the whole id, or --confirm be given.

    RUN is an id, its beginning or end, `key:order-1042`, `@last` or `@last:WORKFLOW`.
    """
    project = open_project(choices)
    run_id = find_run(project.store, run, choices.tenant)
    _typed(choices, run_id, run, confirm, "ends at once; nothing is awaited, nothing undone")
    done = terminate_run(project.store, run_id, by(who, reason), doorbell=project.connection.doorbell)
    return say(choices, "terminate", done)


def _typed(choices: Choices, run_id: str, run: str, confirm: str, told: str) -> None:
    """Make sure that this very run is meant: what cannot be taken back is not done to whatever `@last` happens to be."""
    if not confirm and sys.stdin.isatty() and not choices.json:
        click.echo(f"run {run_id} {told}", err=True)
        confirm = click.prompt("Type the run's short id", default="", show_default=False, err=True)
        check_typed(run_id, confirm)
    else:
        check_typed(run_id, confirm or run)
