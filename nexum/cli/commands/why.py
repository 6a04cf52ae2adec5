"""`nexum why RUN`: one sentence, who can do something, and the command that helps."""

from __future__ import annotations

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.project import open_project
from nexum.cli.reference import find_run
from nexum.cli.verb import Choices, verb
from nexum.errors import NexumError
from nexum.readouts.run import RunDetail, read_run
from nexum.store.verbs import Verbs


@verb("why", short_help="Why a run is where it is, and what to do.")
@click.argument("run")
@click.pass_obj
def command(choices: Choices, run: str) -> int:
    """Say why RUN is where it is, who can do something about it, and the command that helps.

    RUN is an id, its beginning or end, `key:order-1042`, `@last`, `@last:WORKFLOW` or `@failed`.
    """
    found = detail(open_project(choices).store, run, choices.tenant)
    if choices.json:
        print_json(
            envelope(
                "nexum.why/1", Exit.DONE, run_id=found.run.run_id, standing=found.run.standing.model_dump(mode="json")
            )
        )
        return Exit.DONE
    say_standing(Paper(choices), found)
    return Exit.DONE


def detail(store: object, reference: str, tenant: str | None) -> RunDetail:
    """The readout of the run that is meant. Raises `NexumError` NX-R404 and NX-F111."""
    assert isinstance(store, Verbs)
    found = read_run(store, find_run(store, reference, tenant), may_read=True)
    if found is None:
        raise NexumError(f"there is no run {reference!r}", code="NX-R404")
    return found


def say_standing(paper: Paper, found: RunDetail) -> None:
    """The sentence and what follows from it."""
    standing = found.run.standing
    paper.line(f": {standing.sentence}", lead=standing.label, bold=True)
    for name, text in (
        ("since", paper.at(standing.since)),
        ("who", standing.who),
        ("trouble", found.trouble),
        ("more", f"nexum explain {standing.docs}" if standing.docs.startswith("NX-") else standing.docs),
    ):
        if text and text != "-":
            paper.line(f"  {name:<9}{text}")
    for late in found.suspected:
        stands = f"recorded {late.recorded}" if late.recorded else "given up"
        seen = f" ({late.actor} has looked into it: {late.reason})" if late.actor else ""
        came = f"{late.came} came too at {paper.at(late.at)}"
        paper.line(f"  {'NX-E230':<9}{late.node} may have been done twice: {stands}, {came}{seen}")
    for place, line in enumerate(standing.commands):
        paper.line(f"{'Next:' if place == 0 else '':<6} {line}")
