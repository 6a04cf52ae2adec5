"""`nexum start WORKFLOW`: start a run, and maybe wait for it."""

from __future__ import annotations

import json
from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.commands.deploy import actor
from nexum.cli.exits import Exit
from nexum.cli.given import read_input, seconds_of
from nexum.cli.project import Project, open_project
from nexum.cli.verb import Choices, verb
from nexum.client.limits import FIRST, LAST
from nexum.client.runs import RunHandle, result_of
from nexum.client.start import StartRequest
from nexum.core.ids import short
from nexum.core.run.state import Phase
from nexum.errors import Diagnostic, NexumError
from nexum.store.api import Head


@verb("start", short_help="Start a run.")
@click.argument("workflow")
@click.option("--input", "-i", "given", metavar="JSON|@FILE|-", help="The input; `-` reads standard input.")
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="One field of the input; may be repeated.")
@click.option("--run-key", "-k", default="", help="The same key gives the same run, never a second one.")
@click.option("--subject", default="", metavar="APP.MODEL:PK", help="What the run is about, such as `shop.Order:1042`.")
@click.option("--priority", type=click.IntRange(FIRST, LAST), default=0, help="Lower runs first.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 3 when the run does not complete.")
@click.option("--follow", is_flag=True, help="As --wait, and print each event as it happens.")
@click.option("--timeout", default="", metavar="DURATION", help="Give up waiting: `90s`, `5m`; exit code 75.")
@click.pass_obj
def command(
    choices: Choices,
    workflow: str,
    given: str | None,
    pairs: tuple[str, ...],
    run_key: str,
    subject: str,
    priority: int,
    wait: bool,
    follow: bool,
    timeout: str,
) -> int:
    """Start a run of WORKFLOW on its default version; the input is checked against that version first."""
    if timeout and not (wait or follow):
        raise click.UsageError("--timeout bounds a wait: give it together with --wait or --follow")
    limit = seconds_of(timeout) if timeout else None
    value = read_input(given, pairs)
    project = open_project(choices)
    project.check_schema()
    tenant = project.settings.tenant
    request = StartRequest(workflow, value, run_key, subject, tenant, actor=actor(), priority=priority)
    started = project.connection.start(request)
    run = RunHandle(started.run_id, project.connection, started.existing)
    if not (wait or follow):
        return _started(choices, run)
    paper = Paper(choices)
    paper.hint(f"run {run.run_id}")
    head = _followed(project, run, paper, limit) if follow and not choices.json else run.wait(limit)
    return _ended(choices, project, run, head)


def _started(choices: Choices, run: RunHandle) -> int:
    head = run.head()
    if choices.json:
        print_json(envelope("nexum.start/1", Exit.DONE, **_spelled(run, head)))
        return Exit.DONE
    paper = Paper(choices)
    word = "has this key already, on" if run.existing else "started on"
    paper.line(f"{head.workflow}  run {run.run_id}  {word} {short(head.version)}")
    paper.hint(f"next: nexum show {run.run_id}")
    return Exit.DONE


def _ended(choices: Choices, project: Project, run: RunHandle, head: Head) -> int:
    result, error = _outcome(project, head)
    code = Exit.RUN_ENDED_BADLY if error else Exit.DONE
    if choices.json:
        found = [Diagnostic(error.code, error.message, why=error.why, fixes=error.fixes)] if error else []
        print_json(envelope("nexum.start/1", code, diagnostics=found, **_spelled(run, head), result=result))
        return code
    paper = Paper(choices)
    paper.line(f"{head.workflow}  run {run.run_id}  {head.status}")
    if error:
        paper.line(f"{error.message}  [{error.code}]{f'  ({error.where})' if error.where else ''}")
    else:
        paper.line(json.dumps(result, indent=2, ensure_ascii=False))
    return code


def _outcome(project: Project, head: Head) -> tuple[Any, NexumError | None]:
    try:
        return result_of(project.connection.store, head), None
    except NexumError as error:
        if Phase(head.status) is Phase.COMPLETED:
            raise
        return None, error


def _followed(project: Project, run: RunHandle, paper: Paper, limit: float | None) -> Head:
    from nexum.cli.following import follow

    return follow(project.connection.store, run, paper, limit)


def _spelled(run: RunHandle, head: Head) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "existing": run.existing,
        "workflow_id": head.workflow,
        "version": head.version,
        "status": head.status,
    }
