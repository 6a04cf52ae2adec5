"""`nexum in-doubt`: effects whose outcome nobody knows, and what a person has found out about them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.commands.deploy import actor
from nexum.cli.commands.show import draw_node
from nexum.cli.exits import Exit
from nexum.cli.given import read_json
from nexum.cli.project import open_project
from nexum.cli.reference import find_run, split_node
from nexum.cli.verb import Choices, verb
from nexum.client.asking import Answer, Asked, answer_to, ask_provider
from nexum.client.doubts import NOTHING, Decision, Resolved, resolve
from nexum.client.interventions import By
from nexum.client.runs import FIRST_PAUSE, LONGEST_PAUSE
from nexum.client.suspicions import acknowledge
from nexum.compiler.diagnostics import counted
from nexum.core.run.events import NEVER, Cell
from nexum.core.run.standing import span
from nexum.errors import NexumError
from nexum.readouts.doubt import UNKNOWN, DoubtDetail, DoubtLine, SuspicionView, read_doubt, read_doubts
from nexum.readouts.node import read_node
from nexum.store.doubts import DoubtRow, doubts, effects_at, effects_named
from nexum.store.verbs import Verbs

ANSWERS = {
    "found": "found; the node completes with it",
    "not_found": "not found",
    "cannot_tell": "the provider cannot tell",
    "failed": "asking failed",
    "cancelled": "no longer needed",
}
KEY = "nx1-"  # how every effect's key begins
COLUMNS = ("RUN", "WORKFLOW", "NODE", "TOOL", "SENT", "POLICY", "KEY")
TWICE = ("RUN", "WORKFLOW", "NODE", "RECORDED", "ALSO CAME", "AT", "LOOKED INTO", "KEY")
OUTCOMES = {"happened": "happened", "did-not-happen": "did_not_happen", "abandon": "abandon"}
CALL_MEANS = "; any JSON is taken for a call, and judged when the handler reads it (NX-E223)"
MEANS = {
    "happened": "the node completes with the response; nothing is sent",
    "did-not-happen": "it is sent again, under the same key",
    "abandon": "the node fails; nothing is sent",
}


@click.group("in-doubt", short_help="Effects in doubt: `list`, `show`, `reconcile`, `resolve`, `acknowledge`.")
def command() -> None:
    """Effects that were sent and never answered: find them, and record what you found out.

    EFFECT is a key or its beginning, RUN/NODE, or a RUN with a single effect in doubt.
    """


def _outcome(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value not in OUTCOMES:
        near = get_close_matches(value, OUTCOMES, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise click.BadParameter(f"{value!r} is none of {', '.join(OUTCOMES)}{hint}")
    return value


@verb("list", short_help="List the effects in doubt, the oldest first.")
@click.option("--workflow", default="", metavar="NAME", help="Only those of one workflow.")
@click.pass_obj
def _list(choices: Choices, workflow: str) -> int:
    """List the effects in doubt, the one that was sent first at the top."""
    store, tenant = open_project(choices).store, choices.tenant or ""
    listed = read_doubts(store, workflow=workflow, tenant=tenant)
    if choices.json:
        print_json({**envelope(listed.form, Exit.DONE), **listed.spelled()})
        return Exit.DONE
    found, twice = listed.effects, listed.suspected
    paper = Paper(choices)
    if found:
        paper.table(COLUMNS, [_drawn(paper, row) for row in found], flexible="KEY")
        paper.hint(f"{many(found, listed.more_than)} in doubt.   next: nexum in-doubt show {found[0].key[:12]}")
    else:
        paper.line("No effect is in doubt." if not workflow else f"No effect of {workflow} is in doubt.")
    if twice:
        seen = f", {listed.acknowledged} acknowledged" if listed.acknowledged else ""
        paper.line(f"\n{many(twice, listed.more_suspected)} may have been done twice (NX-E230){seen}:")
        paper.table(TWICE, [_drawn_twice(paper, row) for row in twice], flexible="KEY")
        if listed.alarms:
            paper.hint(f"next: nexum in-doubt acknowledge {twice[0].key[:12]} --reason TEXT")
    return Exit.DONE


@verb("show", short_help="One effect: key, request, attempts, and the ways out.")
@click.argument("effect", metavar="EFFECT")
@click.pass_obj
def _show(choices: Choices, effect: str) -> int:
    """Show EFFECT: its key, what was asked, by which attempts, and the commands that record what you found out."""
    store = open_project(choices).store
    row = find_effect(store, effect, choices.tenant)
    name, inner, _ = row.path.partition("/")
    node = read_node(store, row.run_id, name, may_read=True)
    if node is None:
        raise NexumError(f"the run has no node {row.path!r}", code="NX-E404", where=f"run {row.run_id}")
    told = read_doubt(store, row.key, may_read=True)
    assert told is not None, "an effect that was found a moment ago is never removed"
    if choices.json:
        print_json({**envelope(told.form, Exit.DONE), **told.spelled(), "node": node.spelled()})
        return Exit.DONE
    paper = Paper(choices)
    draw_node(paper, node)
    if inner:  # an act of its own inside the node, under a key of its own
        paper.line(f"{row.path}   key {row.key}")
    paper.line(f"first sent {paper.at(row.first_sent_at)}")
    if told.held:
        paper.line(f"\n{UNKNOWN}")
        _draw_proposal(paper, told)
        for place, (line, means) in enumerate(_ways(row, told)):
            paper.line(f"{'Next:' if place == 0 else '':<6} {line}")
            paper.line(f"       # {means}")
    elif row.state == "IN_DOUBT":
        paper.line(f"\nNothing waits for a decision about it. {told.run.standing.sentence}")
    return Exit.DONE


def _ways(row: DoubtRow, told: DoubtDetail) -> Iterator[tuple[str, str]]:
    """The commands that lead out of the doubt, and what follows from each; asking comes first, for it changes nothing."""
    key = row.key[:12]
    if told.asking.declared:
        trouble = f"; not now: {told.asking.why}" if told.asking.why else ""
        yield f"nexum in-doubt reconcile {key}", f"the provider is asked; what it finds completes the node{trouble}"
    for outcome in OUTCOMES:
        response = " --response @FILE" if outcome == "happened" else ""
        call = CALL_MEANS if response and "/io." in row.path else ""
        yield f"nexum in-doubt resolve {key} --as {outcome}{response} --reason TEXT", f"{MEANS[outcome]}{call}"


def _draw_proposal(paper: Paper, found: DoubtDetail) -> None:
    made = found.proposed
    if made is not None:
        reference = f", reference {made.reference}" if made.reference else ""
        paper.line(f"{made.by} has decided at {paper.at(made.at)}: {made.words}{reference}. {made.reason}")
        if made.response is not None:
            paper.line(f"response  {made.response.value}")
        paper.line("It waits for a second person to decide the same.")


@verb("resolve", short_help="Record whether an effect in doubt happened.")
@click.argument("effect", metavar="EFFECT")
@click.option(
    "--as",
    "outcome",
    required=True,
    callback=_outcome,
    metavar="OUTCOME",
    help=f"{', '.join(OUTCOMES)}: what you know.",
)
@click.option("--reason", required=True, metavar="TEXT", help="How you know; it stays in the run's history.")
@click.option("--response", metavar="JSON|@FILE|-", help="With `happened`: what the handler would have returned.")
@click.option("--reference", default="", metavar="TEXT", help="With `happened`: the provider's own reference.")
@click.option("--link", default="", metavar="URL", help="The address of what you have seen.")
@click.option("--actor", "who", default="", metavar="NAME", help="Who decides; without, you at this machine.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, even on a terminal.")
@click.pass_obj
def _resolve(
    choices: Choices,
    effect: str,
    outcome: str,
    reason: str,
    response: str | None,
    reference: str,
    link: str,
    who: str,
    yes: bool,
) -> int:
    """Record what became of EFFECT; its run goes on from there.

    `happened` completes the node with the response, `did-not-happen` sends once more under the same key, `abandon` lets
    the node fail. No decision makes a new key. What the provider answered late, and arrived first, wins. For a tool of the
    setting `four_eyes` another person has to decide the same; who confirms `happened` need not repeat the response.
    """
    value = NOTHING if response is None else read_json(response, "--response")
    project = open_project(choices)
    store = project.store
    row = find_effect(store, effect, choices.tenant)
    asks = sys.stdin.isatty() and not (yes or choices.json)
    if asks:
        click.echo(f"{row.path} of run {row.run_id}, key {row.key}\n{outcome}: {MEANS[outcome]}", err=True)
        click.confirm("Record this?", default=False, abort=True, err=True)
    settings = project.settings
    answer = resolve(
        store,
        Decision(
            row.run_id,
            Cell(row.path, row.visit, row.item),
            OUTCOMES[outcome],
            actor=who or actor(),
            reason=reason,
            reference=reference,
            response=value,
            link=link,
        ),
        four_eyes=settings.four_eyes,
        doorbell=project.connection.doorbell,
        inline_max=settings.inline_max,
        max_payload=settings.max_payload,
    )
    _say(choices, outcome, answer)
    return Exit.DONE


@verb("reconcile", short_help="Ask the provider about an effect in doubt, now.")
@click.argument("effect", metavar="EFFECT")
@click.option("--reason", default="", metavar="TEXT", help="Why now; it stays in the run's history.")
@click.option("--actor", "who", default="", metavar="NAME", help="Who asks; without, you at this machine.")
@click.option("--wait", default=10.0, show_default=True, metavar="SECONDS", help="How long to wait for the answer.")
@click.pass_obj
def _reconcile(choices: Choices, effect: str, reason: str, who: str, wait: float) -> int:
    """Have a worker of the run's version ask the provider about EFFECT, through the function behind `reconcile=`.

    What is found completes the node. That nothing was found counts only after the settle time, and twice; until then
    nothing follows from it. Asking changes nothing at the provider.
    """
    project = open_project(choices)
    row = find_effect(project.store, effect, choices.tenant)
    cell = Cell(row.path, row.visit, row.item)
    asked = ask_provider(
        project.store, row.run_id, cell, actor=who or actor(), reason=reason, doorbell=project.connection.doorbell
    )
    answer = _awaited(project.store, asked, wait)
    if choices.json:
        told: dict[str, Any] = {"run_id": row.run_id, "node": row.path, "key": row.key, "asking": asked.number}
        found = None if answer is None else asdict(answer)
        counts = asked.counts_from <= asked.now
        print_json(envelope("nexum.action/1", Exit.DONE, action="reconcile", **told, counts=counts, answer=found))
        return Exit.DONE
    paper = Paper(choices)
    paper.line(_told(asked, answer))
    if asked.now < asked.counts_from and (answer is None or answer.answer == "not_found"):
        paper.line(_settling(asked))
    paper.hint(f"next: nexum why {row.run_id}")
    return Exit.DONE


def _awaited(store: Verbs, asked: Asked, seconds: float) -> Answer | None:
    """The answer, once it is there; None after so many seconds."""
    until, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        answer = answer_to(store, asked)
        if answer is not None or time.monotonic() >= until:
            return answer
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _told(asked: Asked, answer: Answer | None) -> str:
    if answer is None:
        return f"{asked.cell.path}: the provider is being asked; no answer yet"
    said = f": {answer.said}" if answer.said else ""
    return f"{asked.cell.path}: {ANSWERS[answer.answer]}{said}; the node is {answer.node_status}"


def _settling(asked: Asked) -> str:
    if asked.counts_from == NEVER:
        return "That nothing is found does not count: its sender is not proven dead and has no time limit."
    left = span(asked.counts_from - asked.now)
    return f"That nothing is found does not count yet: the request may still travel for {left}. It is asked again then."


@verb("acknowledge", short_help="Say that you have looked into what may have been done twice.")
@click.argument("effect", metavar="EFFECT")
@click.option("--reason", required=True, metavar="TEXT", help="What you found; it stays in the run's history.")
@click.option("--actor", "who", default="", metavar="NAME", help="Who has looked; without, you at this machine.")
@click.pass_obj
def _acknowledge(choices: Choices, effect: str, reason: str, who: str) -> int:
    """Record that you have looked into EFFECT, which may have been done twice (NX-E230): it raises no alarm any more.

    Nothing follows from it, and it stays listed. Another late result is another alarm.
    """
    project = open_project(choices)
    key = find_effect(project.store, effect, choices.tenant).key
    found = acknowledge(project.store, key, By(who or actor(), reason), doorbell=project.connection.doorbell)
    if choices.json:
        told = [{"run_id": row.run_id, "node": row.path, "reference": row.reference} for row in found]
        print_json(envelope("nexum.action/1", Exit.DONE, action="acknowledge_duplicate", key=key, acknowledged=told))
        return Exit.DONE
    paper = Paper(choices)
    for row in found:
        paper.line(f"{row.path} of run {row.run_id}: {row.reference or row.result_hash[:12]} is acknowledged")
    paper.hint("next: nexum in-doubt list")
    return Exit.DONE


for each in (_list, _show, _reconcile, _resolve, _acknowledge):
    command.add_command(each)


def many(listed: Sequence[object], more: bool) -> str:
    """`3 effects`, or `more than 500 effects` where a list ends before they do."""
    return f"{'more than ' if more else ''}{counted(len(listed), 'effect')}"


def find_effect(store: Verbs, reference: str, tenant: str | None) -> DoubtRow:
    """The effect that is meant: by its key, by run and node, or the only one of a run that is in doubt; of this tenant when one is named.

    Raises `NexumError` NX-E404 for none, NX-F111 for several, NX-R404 for a run that does not exist.
    """
    if reference.startswith(KEY):
        named = effects_named(store, reference, tenant=tenant or "")
        return _only(reference, named, _near_key(store, reference, tenant))
    run, node = split_node(store, reference, tenant)
    run_id = find_run(store, run, tenant)
    held = [row for row in doubts(store, run_id=run_id) if not node or row.path == node]
    there = held or effects_at(store, run_id, node)
    near = get_close_matches(node, [row.path for row in effects_at(store, run_id)], n=1)
    return _only(reference, there, f"{run}/{near[0]}" if near else "")


def _near_key(store: Verbs, reference: str, tenant: str | None) -> str:
    near = get_close_matches(reference, [row.key for row in doubts(store, tenant=tenant or "")], n=1)
    return near[0] if near else ""


def _only(reference: str, found: list[DoubtRow], near: str) -> DoubtRow:
    if not found:
        hint = (f"did you mean `{near}`?",) if near else ()
        raise NexumError(f"there is no effect {reference!r}", code="NX-E404", fixes=hint)
    if len(found) > 1:
        listed = ", ".join(f"{row.run_id}/{row.path}" for row in found[:5])
        raise NexumError(f"{reference!r} could be {listed}", code="NX-F111")
    return found[0]


def _say(choices: Choices, outcome: str, answer: Resolved) -> None:
    if choices.json:
        told: dict[str, Any] = {
            "run_id": answer.run_id,
            "node": answer.cell.path,
            "key": answer.key,
            "outcome": answer.outcome,
        }
        after: dict[str, Any] = {"before": "IN_DOUBT", "after": answer.node_status, "run_status": answer.run_status}
        after["pending"] = answer.pending
        print_json(
            envelope("nexum.action/1", Exit.DONE, action="resolve_effect", **told, **after, event_seq=answer.seq)
        )
        return
    paper = Paper(choices)
    if not answer.seq:
        paper.line(f"{answer.cell.path}: {outcome} is recorded; whoever holds the run just now takes it up in a moment")
    elif answer.pending:
        paper.line(
            f"{answer.cell.path}: {outcome}, event {answer.seq}; it waits for a second person to decide the same"
        )
    else:
        paper.line(f"{answer.cell.path}: {outcome}, event {answer.seq}; the node is {answer.node_status}")
    paper.hint(f"run {answer.run_id} is {answer.run_status}.   next: nexum show {answer.run_id}")


def _drawn(paper: Paper, row: DoubtLine) -> tuple[str, ...]:
    place = row.path + (f"[{row.item}]" if row.item >= 0 else "")
    policy = f"{row.policy}, waits for a second person" if row.proposed else row.policy
    return (row.run_id[-8:], row.workflow, place, row.tool, paper.at(row.first_sent_at), policy, row.key)


def _drawn_twice(paper: Paper, row: SuspicionView) -> tuple[str, ...]:
    stands = row.recorded or row.recorded_hash[:12] or "given up"
    came = row.reference or row.result_hash[:12]
    return (row.run_id[-8:], row.workflow, row.path, stands, came, paper.at(row.at), row.actor or "-", row.key)
