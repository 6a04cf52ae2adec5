"""What the commands that do something to a run share: which node is meant, who acts, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.commands.deploy import actor
from nexum.cli.exits import Exit
from nexum.cli.reference import find_run, split_node
from nexum.cli.verb import Choices
from nexum.client.interventions import By, Done
from nexum.core.run.events import Cell
from nexum.errors import NexumError

WHO = click.option("--actor", "who", default="", metavar="NAME", help="Who acts; without, you at this machine.")


def why(required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--reason`."""
    told = "Why; it stays in the run's history."
    if required:
        return click.option("--reason", required=True, metavar="TEXT", help=told)
    return click.option("--reason", default="", metavar="TEXT", help=told)


def by(who: str, reason: str) -> By:
    """Who acts, and why."""
    return By(who or actor(), reason)


def find_node(store: object, reference: str, tenant: str | None) -> tuple[str, Cell]:
    """The run and the node that RUN/NODE means, of this tenant when one is named; RUN/NODE/undo is the undo of an effect.

    Raises `NexumError` NX-R222 without a node, NX-R404 and NX-F111 as for runs.
    """
    run, path = split_node(store, reference, tenant)
    if not path:
        raise NexumError(f"{reference!r} names a run and no node: write RUN/NODE", code="NX-R222")
    return find_run(store, run, tenant), Cell(path)


def say(choices: Choices, action: str, done: Done) -> int:
    """Tell what came of it; gives the exit code."""
    flying, doubtful = ([cell.path for cell in cells] for cells in (done.in_flight, done.in_doubt))
    if choices.json:
        told: dict[str, Any] = {"run_id": done.run_id, "node": done.cell.path, "after": done.node_status}
        ended: dict[str, Any] = {"in_flight": flying, "in_doubt": doubtful} if action == "terminate" else {}
        end: dict[str, Any] = {"run_status": done.run_status, "suspended": done.suspended, "event_seq": done.seq}
        print_json(envelope("nexum.action/1", Exit.DONE, action=action, **told, **ended, **end))
        return Exit.DONE
    paper = Paper(choices)
    where = f"{done.cell.path}: " if done.cell.path else ""
    if not done.seq:
        paper.line(f"{where}{action} is recorded; whoever holds the run just now takes it up in a moment")
    else:
        status = f"; the node is {done.node_status}" if done.node_status else ""
        paper.line(f"{where}{action}, event {done.seq}{status}; the run is {done.run_status}")
    for names, what in ((flying, "under way when the run ended"), (doubtful, "in doubt: it may have happened")):
        if names:
            paper.line(f"  {', '.join(names)}: {what}")
    if done.suspended:
        paper.line("  The run is suspended: nothing follows before it is resumed.")
    paper.hint(f"next: nexum why {done.run_id}")
    return Exit.DONE
