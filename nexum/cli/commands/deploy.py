"""`nexum deploy`: register the built versions and make them the default of new runs."""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.commands.build import chosen
from nexum.cli.exits import Exit
from nexum.cli.fleet import in_flight, serving
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.compiler.diagnostics import counted
from nexum.core.ids import short
from nexum.errors import Diagnostic, entry
from nexum.store.api import Store, VersionRow

if TYPE_CHECKING:
    from nexum.sdk.compiled import CompiledWorkflow

REFUSED = "Exit 1: BREAKING, needs --approve-parallel."


@dataclass(frozen=True, slots=True)
class Change:
    """What deploying one workflow would do. `base` is the default now ("" for none), `runs` those in flight on it.

    Two different versions are not compared: any difference counts as BREAKING, which is the stricter answer.
    """

    workflow: CompiledWorkflow[Any]
    base: str
    runs: int

    @property
    def level(self) -> str:
        """NEW, IDENTICAL or BREAKING."""
        if not self.base:
            return "NEW"
        return "IDENTICAL" if self.base == self.workflow.version else "BREAKING"

    @property
    def needs_approval(self) -> bool:
        """Whether runs in flight would stay on another version than new runs get."""
        return self.level == "BREAKING" and self.runs > 0


@verb("deploy", short_help="Register the built versions and make them the default.")
@click.argument("names", nargs=-1, metavar="[WORKFLOW]...")
@click.option("--approve-parallel", is_flag=True, help="Runs in flight stay on their version; new runs get this one.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and its exit code; change nothing.")
@click.option("--note", default="", metavar="TEXT", help="Kept with the version.")
@click.pass_obj
def command(choices: Choices, names: tuple[str, ...], approve_parallel: bool, dry_run: bool, note: str) -> int:
    """Register the versions that this code builds to, and make them what new runs get.

    Nothing is changed, with exit code 1, when a default differs and has runs in flight, unless --approve-parallel.
    """
    project = open_project(choices)
    found = chosen(project.registry(), names)
    store = project.store
    plan = [_planned(store, workflow) for workflow in found]
    refused = [change for change in plan if change.needs_approval]
    approved = not refused or approve_parallel or (not dry_run and _asked(choices, refused))
    code = Exit.DONE if approved else Exit.BREAKING
    if approved and not dry_run:
        for change in plan:
            register(store, change.workflow, note=note)
    idle = [change for change in plan if approved and not dry_run and not serving(store, change.workflow.graph.queue)]
    if choices.json:
        rows = [_spelled(change, store) for change in plan]
        done = approved and not dry_run
        warned = [_no_worker(idle)] if idle else []
        print_json(envelope("nexum.deploy/1", code, diagnostics=warned, plan=rows, registered=done, dry_run=dry_run))
        return code
    _say(Paper(choices), plan, approved=approved, dry_run=dry_run)
    if approved and idle:
        _warn(idle)
    return code


def register(store: Store, workflow: CompiledWorkflow[Any], *, note: str = "") -> bool:
    """Register a version and make it the default; True when the database did not know it."""
    row = VersionRow(
        workflow=workflow.name,
        version=workflow.version,
        state="default",
        graph=workflow.graph.data,
        label=workflow.label,
        note=note,
        actor=actor(),
        registered_at=0,
    )
    return store.register(row, make_default=True)


def actor() -> str:
    """Who acts, for the record: `mika@web-1`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _planned(store: Store, workflow: CompiledWorkflow[Any]) -> Change:
    default = store.default_version(workflow.name)
    base = default.version if default else ""
    return Change(workflow, base, in_flight(store, workflow.name, base) if base else 0)


def _asked(choices: Choices, refused: Sequence[Change]) -> bool:
    if choices.json or not sys.stdin.isatty():
        return False
    runs = sum(change.runs for change in refused)
    return click.confirm(f"{counted(runs, 'run')} in flight. Run both versions side by side?", default=False, err=True)


def _say(paper: Paper, plan: Sequence[Change], *, approved: bool, dry_run: bool) -> None:
    for change in plan:
        to = short(change.workflow.version)
        way = f"{short(change.base)} -> {to}" if change.level == "BREAKING" else to
        paper.line(f"{change.workflow.name}  {way}  {change.level}")
        if change.level == "BREAKING":
            stay = f"stay on {short(change.base)} until they end; none is moved"
            paper.line(f"  {counted(change.runs, 'run'):<11} {stay if change.runs else 'in flight'}")
        if approved and change.level != "IDENTICAL":
            paper.line(f"  new runs    {'would get' if dry_run else 'get'} {to}")
    if not approved:
        paper.line(REFUSED)


def _warn(idle: Sequence[Change]) -> None:
    finding = _no_worker(idle)
    click.echo(f"{finding.severity}[{finding.code}]: {finding.message}\n  = fix: {finding.fixes[0]}", err=True)


def _no_worker(idle: Sequence[Change]) -> Diagnostic:
    known = entry("NX-D207")
    names = ", ".join(f"{change.workflow.name}@{short(change.workflow.version)}" for change in idle)
    return Diagnostic(
        "NX-D207",
        f"no worker serves {names} yet; runs wait for one, they do not fail",
        why=known.why,
        fixes=("nexum worker",),
        severity=known.severity,
    )


def _spelled(change: Change, store: Store) -> dict[str, object]:
    return {
        "workflow_id": change.workflow.name,
        "base_version": change.base or None,
        "target_version": change.workflow.version,
        "compatibility_level": change.level,
        "in_flight": {"total": change.runs},
        "workers": serving(store, change.workflow.graph.queue),
    }
