"""`nexum show RUN`: its header, its standing, its nodes, its last events; one node; all events."""

from __future__ import annotations

import click

from nexum.cli.answer import Paper, duration, envelope, print_json
from nexum.cli.commands.why import detail, say_standing
from nexum.cli.exits import Exit
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.compiler.diagnostics import counted
from nexum.core.run.state import Phase
from nexum.errors import NexumError
from nexum.readouts.document import PayloadView
from nexum.readouts.events import EventLine, read_events
from nexum.readouts.node import AttemptView, NodeDetail, read_node
from nexum.readouts.run import NodeLine, RunDetail
from nexum.store.verbs import Verbs

ALL = 100_000
LAST = 5


@verb("show", short_help="One run: where it stands, its nodes, its last events.")
@click.argument("run")
@click.option("--events", is_flag=True, help="Every event.")
@click.option("--node", default="", metavar="NAME", help="One node: its inputs, attempts and output.")
@click.option("--exit-status", is_flag=True, help="Exit code 3 when the run ended without completing.")
@click.pass_obj
def command(choices: Choices, run: str, events: bool, node: str, exit_status: bool) -> int:
    """Show RUN: an id, its beginning or end, `key:order-1042`, `@last`, `@last:WORKFLOW` or `@failed`."""
    store = open_project(choices).store
    found = detail(store, run, choices.tenant)
    code = _code(found) if exit_status else Exit.DONE
    paper = Paper(choices)
    if node:
        _show_node(paper, store, found, node, code)
    elif events:
        _show_events(paper, store, found, code)
    elif choices.json:
        print_json({**envelope(found.form, code), **found.spelled()})
    else:
        _show_run(paper, store, found)
    return code


def _code(found: RunDetail) -> int:
    phase = Phase(found.run.status)
    return Exit.RUN_ENDED_BADLY if phase.is_ended and phase is not Phase.COMPLETED else Exit.DONE


def _show_run(paper: Paper, store: Verbs, found: RunDetail) -> None:
    run = found.run
    paper.line(f"{run.workflow}  run {run.run_id}  {run.status}  on {run.version_short}")
    parts = [f"key {run.run_key}" if run.run_key else "", f"about {run.subject}" if run.subject else ""]
    parts += [f"started {paper.at(run.started_at)}", f"took {duration(run.duration)}" if run.ended_at else ""]
    paper.line("  " + "   ".join(filter(None, parts)))
    say_standing(paper, found)
    paper.line()
    paper.table(("NODE", "KIND", "STATE", "TRIES", "TOOK", "NOTE"), [_node(n) for n in found.nodes], flexible="NOTE")
    for payload in found.result:
        paper.line(f"\n{payload.name}: {_text(payload)}")
    paper.line()
    first = max(0, run.last_seq - LAST)
    shown = read_events(store, run.run_id, last_seq=run.last_seq, after=first).events
    _draw_events(paper, shown)
    paper.hint(f"{counted(run.last_seq, 'event')}.   next: nexum show {run.short_id} --events")


def _node(line: NodeLine) -> tuple[str, ...]:
    tries = f"{line.attempt}/{line.attempts}" if line.attempt else "-"
    took = duration(line.duration) if line.duration > 0 else "-"
    return (line.node_id, line.kind, line.label, tries, took, _note(line))


def _note(line: NodeLine) -> str:
    if line.error is not None:
        return f"[{line.error.code}] {line.error.message}"
    return line.why or (f"on {line.worker}" if line.worker else "")


def _show_events(paper: Paper, store: Verbs, found: RunDetail, code: int) -> None:
    listed = read_events(store, found.run.run_id, last_seq=found.run.last_seq, limit=ALL)
    if paper.choices.json:
        print_json({**envelope(listed.form, code), **listed.spelled()})
        return
    _draw_events(paper, listed.events)


def _draw_events(paper: Paper, events: tuple[EventLine, ...]) -> None:
    rows = [(str(e.seq), paper.at(e.at), e.type, _place(e), e.summary) for e in events]
    paper.table(("SEQ", "AT", "EVENT", "NODE", "WHAT"), rows, flexible="WHAT")


def _place(event: EventLine) -> str:
    visit = f" visit {event.visit}" if event.visit > 1 else ""
    item = f"[{event.item}]" if event.item >= 0 else ""
    return f"{event.node}{item}{visit}" or "-"


def _show_node(paper: Paper, store: Verbs, found: RunDetail, name: str, code: int) -> None:
    shown = read_node(store, found.run.run_id, name, may_read=True)
    if shown is None:
        known = ", ".join(node.node_id for node in found.nodes)
        raise NexumError(f"the run has no node {name!r}; it has {known}", code="NX-R404")
    if paper.choices.json:
        print_json({**envelope(shown.form, code), **shown.spelled()})
        return
    draw_node(paper, shown)


def draw_node(paper: Paper, shown: NodeDetail) -> None:
    """A node with its effect, attempts, inputs and output."""
    node, effect = shown.node, shown.effect
    paper.line(f"{node.node_id} ({node.kind})  {node.label}  of run {shown.run.run_id}")
    if effect is not None:
        paper.line(f"  effect   {effect.tool}  {effect.state}  policy {effect.policy}")
        paper.line(f"  key      {effect.key}   (unchanged on any retry)")
        if effect.reference:
            paper.line(f"  theirs   {effect.reference}")
    if shown.attempts:
        paper.table(("TRY", "STATE", "WORKER", "TOOK", "WHAT"), [_attempt(a) for a in shown.attempts], flexible="WHAT")
    for given in shown.inputs:
        paper.line(f"{given.name} <- {given.source}: {_text(given.payload) if given.payload else 'nothing'}")
    if shown.output is not None:
        paper.line(f"output: {_text(shown.output)}")


def _attempt(attempt: AttemptView) -> tuple[str, ...]:
    number = f"{attempt.number}" + (f" repair {attempt.round}" if attempt.round else "")
    number += f" asking {attempt.asking}" if attempt.asking else ""
    said = f"[{attempt.error.code}] {attempt.error.message}" if attempt.error else attempt.evidence
    took = duration(attempt.duration) if attempt.duration > 0 else "-"
    return (number, attempt.state, attempt.worker or "-", took, said)


def _text(payload: PayloadView) -> str:
    if payload.text is None:
        return payload.missing or f"{payload.size:,} bytes, sha256 {payload.hash[:12]}"
    return payload.text + (" ..." if payload.cut else "")
