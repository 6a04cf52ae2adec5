"""`nexum dlq`: what failed for good, grouped by what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from nexum.cli.acting import WHO, by, find_node
from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.given import read_json, span_of
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.client.deadletters import GroupDecision, Tried, decide, retry_all, skip_all, version_named
from nexum.client.interventions import NOTHING
from nexum.client.spans import MICROS, rate_of
from nexum.compiler.diagnostics import counted
from nexum.core.ids import short
from nexum.core.run.events import Cell
from nexum.errors import ConflictError, NexumError
from nexum.readouts.dead import ENDED, RETRIED, DeadGroup, PlannedNode, plan_retry, read_dead, read_group
from nexum.readouts.document import rfc3339
from nexum.readouts.letters import DeadLetter, Members, find_members, letter_of
from nexum.store.deadletters import letters
from nexum.store.verbs import Verbs

COLUMNS = ("GROUP", "TENANT", "WORKFLOW", "NODE", "CODE", "COUNT", "PARKED", "FIRST", "LAST", "VERSIONS", "MESSAGE")
SPARE = ("FIRST", "VERSIONS")  # what narrow terminals do without
MEMBERS = ("RUN", "KEY", "NODE", "VERSION", "AT", "STATE")


@click.group(
    "dlq", short_help="Dead letters: `list`, `show`, `retry`, `skip`, `acknowledge`, `assign`, `fixed`, `ignore`."
)
def command() -> None:
    """Dead letters: runs that failed, and nodes that wait for a person after their last attempt, grouped by failure.

    GROUP is a fingerprint, or its beginning: the same workflow, node, code and message, without numbers and names.
    """


@verb("list", short_help="Groups of dead letters, the one that was hit last first.")
@click.option("--workflow", default="", metavar="NAME", help="Only those of one workflow.")
@click.option("--ignored", is_flag=True, help="Also the groups that somebody has set aside.")
@click.pass_obj
def _list(choices: Choices, workflow: str, ignored: bool) -> int:
    """List the groups of dead letters, with counts, when each was first and last seen, and on which versions."""
    store = open_project(choices).store
    found = read_dead(store, workflow=workflow, tenant=choices.tenant or "", ignored=ignored)
    if choices.json:
        print_json({**envelope(found.form, Exit.DONE), **found.spelled()})
        return Exit.DONE
    paper = Paper(choices)
    if not found.groups:
        paper.line("No dead letters." if not found.letters else "No dead letters but those that are ignored.")
        return Exit.DONE
    paper.table(
        COLUMNS, [_row(paper, group) for group in found.groups], flexible="MESSAGE", telling="TENANT", spare=SPARE
    )
    more = "more than " if found.more_than else ""
    told = f"{counted(len(found.groups), 'group')}, {more}{counted(found.letters, 'dead letter')}."
    paper.hint(f"{told}   next: nexum dlq show {found.groups[0].fingerprint}")
    return Exit.DONE


@verb("show", short_help="One group: its runs, and the newest failure with its traceback.")
@click.argument("group", metavar="GROUP")
@click.pass_obj
def _show(choices: Choices, group: str) -> int:
    """Show GROUP: what happened, to which runs, on which versions."""
    store = open_project(choices).store
    found = read_group(store, _members(choices, store, group), may_read=True)
    if choices.json:
        print_json({**envelope(found.form, Exit.DONE), **found.spelled()})
        return Exit.DONE
    paper, its = Paper(choices), found.group
    paper.line(f"{its.fingerprint}  {its.workflow}/{its.node}  {its.code}")
    paper.line(its.message)
    if its.poison:
        paper.line("It killed the worker processes that tried it, and is in quarantine: no worker is given it again.")
    if its.state != "open":
        until = f" until {paper.at(its.until)}" if its.until else ""
        where = f" in {its.fixed_in}" if its.fixed_in else ""
        again = "; it has failed there since, or in a later version" if its.state == "regressed" else ""
        what = "fixed" if its.state == "regressed" else its.state
        paper.line(f"{what}{where} by {its.by}{until}: {its.reason}{again}")
    if its.assigned:
        paper.line(f"assigned to {its.assigned}")
    if found.sample.trace:
        paper.line(f"\n{found.sample.trace.rstrip()}\n")
    state = {True: "parked", False: "run failed"}
    rows = [
        (m.short_id, m.run_key or "-", m.node, m.version.removeprefix("sha256:")[:8], paper.at(m.at), state[m.parked])
        for m in found.members
    ]
    paper.table(MEMBERS, rows, flexible="KEY")
    listed = f", {len(found.members)} of them listed" if its.count > len(found.members) else ""
    paper.hint(f"{counted(its.count, 'dead letter')}{listed}.   next: nexum show {found.members[0].short_id}")
    return Exit.DONE


@verb("ignore", short_help="Do not show a group for a while.")
@click.argument("group", metavar="GROUP")
@click.option("--reason", default="", metavar="TEXT", help="Why; required, but with --back.")
@click.option("--until", default="", metavar="DURATION", help="From now: `2h`, `7d`; without, until it is taken back.")
@click.option("--back", is_flag=True, help="Show it again.")
@WHO
@click.pass_obj
def _ignore(choices: Choices, group: str, reason: str, until: str, back: bool, who: str) -> int:
    """Set GROUP aside: `dlq list` leaves it out, nothing else changes. New failures of the same kind belong to it."""
    seconds = span_of(until, "--until")
    store = open_project(choices).store
    its = _group(choices, store, group)
    actor = by(who, reason).actor
    if back:
        decide(store, GroupDecision(its.tenant, its.fingerprint, "notice", actor))
        told = "is shown again" if its.state == "ignored" else "was not ignored"
        return _said(choices, its, "open", f"{its.fingerprint} {told}")
    instant = store.now() + int(seconds * MICROS) if seconds else 0
    decide(store, GroupDecision(its.tenant, its.fingerprint, "ignore", actor, reason, until=instant))
    told = f"{its.fingerprint} is ignored" + (f" until {Paper(choices).at(instant)}" if instant else "")
    return _said(choices, its, "ignored", told, until=instant)


@verb("retry", short_help="Try dead letters again, under the same keys.")
@click.argument("reference", metavar="GROUP|RUN/NODE")
@click.option("--limit", "-n", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--rate", default="", metavar="N/m", help="At most so many per minute; without, all at once.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and when; nothing is tried.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stays in each run's history.")
@WHO
@click.option("--yes", "-y", is_flag=True, help="Do not ask, even on a terminal.")
@click.pass_obj
def _retry(
    choices: Choices, reference: str, limit: int, rate: str, dry_run: bool, reason: str, who: str, yes: bool
) -> int:
    """Try what waits for a person again: the same visit with its attempts anew, same inputs, same key.

    A run that has failed has ended, and is not begun again: start a new one.
    """
    each_minute, project = rate_of(rate), open_project(choices)
    waiting = _waiting(choices, project.store, reference)
    parked = waiting[:limit]
    cells, left = _cells(parked), len(waiting) - len(parked)
    if sys.stdin.isatty() and not (dry_run or yes or choices.json):
        places = ", ".join(letter.place for letter in parked[:5]) + (" and more" if len(parked) > 5 else "")
        click.echo(f"{_of(len(parked), left)} to try again: {places}\n{RETRIED}", err=True)
        click.confirm("Try again?", default=False, abort=True, err=True)
    doorbell = project.connection.doorbell
    tried = retry_all(project.store, cells, by(who, reason), rate=each_minute, preview=dry_run, doorbell=doorbell)
    if dry_run:
        return _planned(choices, plan_retry(project.store, parked, [one.not_before for one in tried]), left)
    return _done(choices, "retry_dead_letters", "tried again", tried, left)


@verb("skip", short_help="Go on without what waits for a person, or with a value in its place.")
@click.argument("reference", metavar="GROUP|RUN/NODE")
@click.option("--value", metavar="JSON|@FILE|-", help="What each would have returned; without, readers are skipped.")
@click.option("--limit", "-n", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--dry-run", is_flag=True, help="Check the value and say who would read it; nothing is skipped.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in each run's history.")
@WHO
@click.pass_obj
def _skip(choices: Choices, reference: str, value: str | None, limit: int, dry_run: bool, reason: str, who: str) -> int:
    """Put VALUE in the place of what each parked node would have returned. It is checked against all of them first."""
    given = NOTHING if value is None else read_json(value, "--value")
    project = open_project(choices)
    waiting = _waiting(choices, project.store, reference)
    parked, settings = waiting[:limit], project.settings
    tried, readers = skip_all(
        project.store,
        _cells(parked),
        by(who, reason),
        value=given,
        preview=dry_run,
        doorbell=project.connection.doorbell,
        inline_max=settings.inline_max,
        max_payload=settings.max_payload,
    )
    done = f"would be skipped; read by {', '.join(readers) or 'nobody'}" if dry_run else "skipped"
    return _done(choices, "skip_dead_letters", done, tried, len(waiting) - len(parked))


@verb("acknowledge", short_help="Say that a group is known, until it fails again.")
@click.argument("group", metavar="GROUP")
@click.option("--reason", required=True, metavar="TEXT", help="Why it needs nobody's attention.")
@WHO
@click.pass_obj
def _acknowledge(choices: Choices, group: str, reason: str, who: str) -> int:
    """Say that GROUP is known. The next failure of the same kind opens it again."""
    store = open_project(choices).store
    its = _group(choices, store, group)
    decide(store, GroupDecision(its.tenant, its.fingerprint, "acknowledge", by(who, reason).actor, reason))
    told = f"{its.fingerprint} is acknowledged, until it fails again"
    return _said(choices, its, "acknowledged", told, action="acknowledge_group")


@verb("assign", short_help="Say who looks into a group.")
@click.argument("group", metavar="GROUP")
@click.argument("user", default="", metavar="[USER]")
@WHO
@click.pass_obj
def _assign(choices: Choices, group: str, user: str, who: str) -> int:
    """Say that USER looks into GROUP; without USER, that nobody does."""
    store = open_project(choices).store
    its = _group(choices, store, group)
    decide(store, GroupDecision(its.tenant, its.fingerprint, "assign", by(who, "").actor, value=user))
    told = f"{its.fingerprint} is assigned to {user or 'nobody'}"
    return _said(choices, its, its.state, told, action="assign_group")


@verb("fixed", short_help="Say in which version a group was fixed.")
@click.argument("group", metavar="GROUP")
@click.option("--in", "version", required=True, metavar="VERSION", help="The version, or its beginning.")
@click.option("--reason", required=True, metavar="TEXT", help="What was wrong, or how it was mended.")
@WHO
@click.pass_obj
def _fixed(choices: Choices, group: str, version: str, reason: str, who: str) -> int:
    """Say that GROUP was fixed in VERSION. When it fails there, or in a version registered later, it has regressed."""
    store = open_project(choices).store
    its = _group(choices, store, group)
    found = version_named(store, its.workflow, version)
    decide(store, GroupDecision(its.tenant, its.fingerprint, "fixed", by(who, reason).actor, reason, found))
    return _said(choices, its, "fixed", f"{its.fingerprint} is fixed in {short(found)}", action="fix_group")


for each in (_list, _show, _retry, _skip, _acknowledge, _assign, _fixed, _ignore):
    command.add_command(each)


def _members(choices: Choices, store: Verbs, reference: str) -> Members:
    """The group that is meant. Raises `NexumError` NX-R441 for none, NX-F111 for several."""
    return find_members(store, reference, tenant=choices.tenant or "", whole=False)


def _group(choices: Choices, store: Verbs, reference: str) -> DeadGroup:
    return read_group(store, _members(choices, store, reference), may_read=False).group


def _waiting(choices: Choices, store: Verbs, reference: str) -> Sequence[DeadLetter]:
    """All of a group that waits for a person. Raises `ConflictError` NX-R443 when nothing does: its runs have ended."""
    found = _letters(choices, store, reference)
    waiting = [letter for letter in found if letter.parked]
    if waiting:
        return waiting
    ended = ", ".join(dict.fromkeys(letter.run_id for letter in found[:5]))
    raise ConflictError(f"{counted(len(found), 'dead letter')} of {reference}: {ENDED}", code="NX-R443", where=ended)


def _letters(choices: Choices, store: Verbs, reference: str) -> Sequence[DeadLetter]:
    """The members of a group, or the dead letter of a run's node. Raises `NexumError` NX-R441 for none."""
    if "/" not in reference:
        return _members(choices, store, reference).letters
    run_id, cell = find_node(store, reference, choices.tenant)
    mine = [letter for row in letters(store, run_id=run_id) if (letter := letter_of(row)).node == cell.path]
    if not mine:
        raise NexumError(f"{cell.path!r} of run {run_id} has no dead letter", code="NX-R441")
    return mine


def _cells(parked: Sequence[DeadLetter]) -> list[tuple[str, Cell]]:
    return [(letter.run_id, letter.cell) for letter in parked]


def _of(count: int, left: int) -> str:
    """`3 nodes`, or `3 of 7 nodes` where some are left for another time."""
    return f"{count} of {counted(count + left, 'node')}" if left else counted(count, "node")


def _left(left: int) -> str:
    return f"; {left} left, as --limit says" if left else ""


def _planned(choices: Choices, nodes: Sequence[PlannedNode], left: int) -> int:
    if choices.json:
        told = [node.model_dump(mode="json") for node in nodes]
        facts: dict[str, Any] = {"preview": True, "nodes": told, "left": left}
        print_json(envelope("nexum.action/1", Exit.DONE, action="retry_dead_letters", **facts))
        return Exit.DONE
    paper = Paper(choices)
    for node in nodes:
        act = f"sends to {node.tool} under {node.key}, the same key" if node.key else "runs again; it is no effect"
        paper.line(f"{node.run_id}/{node.node}: {act}, {'at ' + paper.at(node.start) if node.start else 'at once'}")
    paper.line(f"{_of(len(nodes), left)} would be tried again{_left(left)}.")
    return Exit.DONE


def _done(choices: Choices, action: str, verb: str, tried: Sequence[Tried], left: int) -> int:
    if choices.json:
        nodes = [
            {"run_id": one.run_id, "node": one.cell.path, "node_status": one.node_status, "refused": one.refused}
            for one in tried
        ]
        print_json(envelope("nexum.action/1", Exit.DONE, action=action, nodes=nodes, left=left))
        return Exit.DONE
    paper = Paper(choices)
    for one in tried:
        start = f", from {paper.at(one.not_before)} on" if one.not_before else ""
        paper.line(f"{one.run_id}/{one.cell.path}: {one.refused or f'{verb}{start}, it is {one.node_status}'}")
    refused = sum(bool(one.refused) for one in tried)
    moved = f"; {refused} refused" if refused else ""
    paper.line(f"{_of(len(tried) - refused, left + refused)} {verb}{moved}{_left(left)}.")
    paper.hint("next: nexum dlq list")
    return Exit.DONE


def _row(paper: Paper, group: DeadGroup) -> tuple[str, ...]:
    return (
        group.fingerprint,
        group.tenant,
        group.workflow,
        group.node or "-",
        group.code or "-",
        str(group.count),
        str(group.parked),
        paper.at(group.first_seen, brief=True),
        paper.at(group.last_seen, brief=True),
        ",".join(group.versions[:3]) + ("…" if len(group.versions) > 3 else ""),
        ("" if group.state == "open" else f"({group.state}) ") + group.message.partition("\n")[0][:160],
    )


def _said(
    choices: Choices, its: DeadGroup, after: str, told: str, *, until: int = 0, action: str = "ignore_group"
) -> int:
    if choices.json:
        facts: dict[str, Any] = {"fingerprint": its.fingerprint, "before": its.state, "after": after}
        print_json(envelope("nexum.action/1", Exit.DONE, action=action, **facts, until=rfc3339(until)))
    else:
        Paper(choices).line(told)
    return Exit.DONE
