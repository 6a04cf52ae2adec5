"""`nexum list [QUERY]`: runs, newest first."""

from __future__ import annotations

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.errors import InputError
from nexum.readouts.runs import MOST, RunLine, RunList, read_runs

COLUMNS = ("RUN", "WORKFLOW", "KEY", "STANDING", "NODE", "TRIES", "VERSION", "STARTED")
WIDEST = 80  # characters of a key
ROOMY = 110  # columns from which times are shown whole


@verb("list", short_help="The newest runs, or those that a query matches.")
@click.argument("query", nargs=-1)
@click.option("--limit", "-n", type=click.IntRange(1, MOST), default=20, show_default=True, help="Runs on a page.")
@click.option("--after", default="", metavar="CURSOR", help="The page after this one; `next` of --json.")
@click.option("--ids", is_flag=True, help="Only the ids, one a line.")
@click.pass_obj
def command(choices: Choices, query: tuple[str, ...], limit: int, after: str, ids: bool) -> int:
    """List the runs that QUERY matches, newest first: `status:failed workflow:RefundAgent started:<2h order-1042`."""
    store = open_project(choices).store
    found = read_runs(store, _within(choices, " ".join(query)), after=after, limit=limit)
    if found.problems:
        raise _misread(found)
    if choices.json:
        print_json({**envelope(found.form, Exit.DONE), **found.spelled()})
        return Exit.DONE
    paper = Paper(choices)
    if ids:
        for run in found.runs:
            paper.line(run.run_id)
        return Exit.DONE
    if found.runs:
        paper.table(COLUMNS, [_row(paper, run) for run in found.runs], flexible="KEY")
    first = f"   next: nexum why {found.runs[0].short_id}" if found.runs else "   next: nexum start WORKFLOW"
    paper.hint(f"{len(found.runs)} of {found.total}{'+' if found.more_than else ''}.{first}")
    return Exit.DONE


def _within(choices: Choices, query: str) -> str:
    return f'tenant:"{choices.tenant}" {query}' if choices.tenant else query


def _row(paper: Paper, run: RunLine) -> tuple[str, ...]:
    return (
        run.short_id,
        run.workflow,
        _shortened(run.run_key) or "-",
        run.standing.label,
        run.node or "-",
        str(run.attempt or "-"),
        run.version_short,
        paper.at(run.started_at, brief=paper.width < ROOMY),
    )


def _shortened(key: str) -> str:
    """A key as a table shows it; `--json` and `nexum show` have the whole."""
    return key if len(key) <= WIDEST else f"{key[: WIDEST - 1]}…"


def _misread(found: RunList) -> InputError:
    said = "; ".join(problem.message for problem in found.problems)
    fixes = tuple(f"write `{problem.nearest}`" for problem in found.problems if problem.nearest)
    return InputError(said, code="NX-F115", fixes=fixes)
