"""`nexum retry`, `nexum skip` and `nexum fail`: what people do to a node that does not get on."""

from __future__ import annotations

import click

from nexum.cli.acting import WHO, by, find_node, say, why
from nexum.cli.given import read_json
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.client.interventions import NOTHING
from nexum.client.interventions import fail as fail_node
from nexum.client.interventions import retry as retry_node
from nexum.client.interventions import skip as skip_node

NODE = "RUN/NODE"


@verb("retry", short_help="Try a node now that waits, or that is parked.")
@click.argument("node", metavar=NODE)
@why(required=False)
@WHO
@click.pass_obj
def retry(choices: Choices, node: str, reason: str, who: str) -> int:
    """Try NODE of RUN now, under the same key. A parked node has all its attempts again.

    RUN/NODE/undo is the undo of an effect.
    """
    project = open_project(choices)
    run_id, cell = find_node(project.store, node, choices.tenant)
    done = retry_node(project.store, run_id, cell, by(who, reason), doorbell=project.connection.doorbell)
    return say(choices, "retry", done)


@verb("skip", short_help="Go on without a node, or with a value in its place.")
@click.argument("node", metavar=NODE)
@why(required=True)
@click.option(
    "--value", metavar="JSON|@FILE|-", help="What the node would have returned; without, readers are skipped."
)
@WHO
@click.pass_obj
def skip(choices: Choices, node: str, reason: str, value: str | None, who: str) -> int:
    """Go on without NODE of RUN. A value is checked against what the node returns and what its readers take.

    An effect that may have acted cannot be skipped. RUN/NODE/undo with a value says that it was undone by hand.
    """
    given = NOTHING if value is None else read_json(value, "--value")
    project = open_project(choices)
    run_id, cell = find_node(project.store, node, choices.tenant)
    settings = project.settings
    done = skip_node(
        project.store,
        run_id,
        cell,
        by(who, reason),
        value=given,
        doorbell=project.connection.doorbell,
        inline_max=settings.inline_max,
        max_payload=settings.max_payload,
    )
    return say(choices, "skip", done)


@verb("fail", short_help="Let a node fail for good.")
@click.argument("node", metavar=NODE)
@why(required=True)
@WHO
@click.pass_obj
def fail(choices: Choices, node: str, reason: str, who: str) -> int:
    """Let NODE of RUN fail, as if its attempts were used up. An effect under way is asked to stop first.

    RUN/NODE/undo gives up an undo: what was done stays done, and what stands above it is undone.
    """
    project = open_project(choices)
    run_id, cell = find_node(project.store, node, choices.tenant)
    done = fail_node(project.store, run_id, cell, by(who, reason), doorbell=project.connection.doorbell)
    return say(choices, "fail", done)
