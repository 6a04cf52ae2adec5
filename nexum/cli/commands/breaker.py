"""`nexum breaker`: tools that are not asked for a while, and what a person makes of it."""

from __future__ import annotations

from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.commands.deploy import actor
from nexum.cli.exits import Exit
from nexum.cli.given import span_of
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.client.breakers import FORCED, override
from nexum.compiler.diagnostics import counted
from nexum.core.run.standing import span
from nexum.readouts.breakers import BreakerLine, line_of, read_breakers

COLUMNS = ("BREAKER", "TENANT", "STATE", "FAILURES", "SINCE", "NEXT PROBE", "HELD BY", "REASON")
MEANS = {
    "open": "Hold it open: nobody asks the tool until `close`, `auto`, or the time is over.",
    "close": "Hold it closed: everybody asks the tool, whatever fails.",
    "auto": "Let it decide for itself again, beginning anew: closed, without failures.",
}


@click.group("breaker", short_help="Circuit breakers: `list`, `open`, `close`, `auto`.")
def command() -> None:
    """Circuit breakers: tools that have failed too often, and are not asked for a while.

    NAME is the breaker's own, else the effect's tool, the first model of a request, or WORKFLOW.NODE of a read.
    """


@verb("list", short_help="Where each breaker stands.")
@click.pass_obj
def _list(choices: Choices) -> int:
    """List the breakers that have counted a failure or been held, those that are open first."""
    found = read_breakers(open_project(choices).store, tenant=choices.tenant or "")
    if choices.json:
        print_json({**envelope(found.form, Exit.DONE), **found.spelled()})
        return Exit.DONE
    paper = Paper(choices)
    if not found.breakers:
        paper.line("No breaker has counted a failure.")
        return Exit.DONE
    paper.table(COLUMNS, [_row(paper, line, found.now) for line in found.breakers], flexible="REASON", telling="TENANT")
    paper.hint(f"{counted(len(found.breakers), 'breaker')}.   next: nexum breaker open NAME --reason TEXT")
    return Exit.DONE


def _made(act: str) -> click.Command:
    @verb(act, short_help=MEANS[act].partition(":")[0] + ".")
    @click.argument("name", metavar="NAME")
    @click.option("--reason", required=True, metavar="TEXT", help="Why; whoever looks is shown it.")
    @click.option("--for", "lasting", default="", metavar="DURATION", help="`30m`, `2h`; without, until `auto`.")
    @click.option("--actor", "who", default="", metavar="NAME", help="Who decides; without, you at this machine.")
    @click.pass_obj
    def _act(choices: Choices, name: str, reason: str, lasting: str, who: str) -> int:
        seconds, project = span_of(lasting, "--for"), open_project(choices)
        store = project.store
        before = store.breaker(project.settings.tenant, name)[0]
        after = override(
            store, name, act, actor=who or actor(), reason=reason, seconds=seconds, tenant=project.settings.tenant
        )
        now = store.now()
        line, was = line_of(after, now), line_of(before, now)
        if choices.json:
            told: dict[str, Any] = {"breaker": line.model_dump(mode="json")}
            print_json(
                envelope(
                    "nexum.action/1", Exit.DONE, action=f"breaker_{act}", before=was.state, after=line.state, **told
                )
            )
            return Exit.DONE
        held = f", held by {line.by}" if line.forced else ""
        until = f" for {span(line.forced_until - now)}" if line.forced_until else ""
        Paper(choices).line(f"{name} is {line.state}{held}{until}")
        return Exit.DONE

    _act.help = MEANS[act]
    return _act


for each in (_list, *map(_made, FORCED)):
    command.add_command(each)


def _row(paper: Paper, line: BreakerLine, now: int) -> tuple[str, ...]:
    return (
        line.name,
        line.tenant,
        line.label,
        str(line.failures),
        paper.at(line.opened_at, brief=True),
        f"in {span(line.next_probe - now)}" if line.next_probe > now else "-",
        line.by or "-",
        line.reason or "-",
    )
