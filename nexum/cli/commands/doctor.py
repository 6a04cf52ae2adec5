"""`nexum doctor`: look for what is wrong, and say how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.doctor import fleet, installation
from nexum.cli.doctor.finding import FAIL, OK, WARN, Finding, as_diagnostic, from_error, ok, trouble
from nexum.cli.doctor.rebuild import compare
from nexum.cli.exits import Exit
from nexum.cli.project import Project, open_project
from nexum.cli.verb import Choices, verb
from nexum.compiler.diagnostics import counted
from nexum.errors import NexumError

SHOWN = 50  # differences of a rebuild on paper; JSON has all
_ANYWHERE = (installation.settings, installation.database, installation.broker)
_WITH_DATABASE = (fleet.code, fleet.workers, fleet.scheduler, fleet.waiting)
_COLORS = {OK: "green", WARN: "yellow", FAIL: "red"}


@verb("doctor", short_help="Look for what is wrong, and say how to mend it.")
@click.option("--rebuild", is_flag=True, help="Also fold every run again and compare with what is stored.")
@click.option("--strict", is_flag=True, help="Exit code 5 for warnings too.")
@click.pass_obj
def command(choices: Choices, rebuild: bool, strict: bool) -> int:
    """Check settings, database, broker, workers, scheduler and runs. Changes nothing. Exit code 5 for a problem."""
    project = open_project(choices)
    findings = list(examine(project))
    reachable = not any(finding.check == "database" and finding.level == FAIL for finding in findings)
    differences: list[str] = []
    if rebuild and reachable:
        found = compare(project.any_store)
        differences = found.differences
        left_out = f", {found.busy} at work and left out" if found.busy else ""
        said = f"{counted(found.runs, 'run')} folded again{left_out}"
        findings.append(
            trouble("rebuild", f"{said}, {counted(len(differences), 'difference')}", "NX-X110")
            if differences
            else ok("rebuild", f"{said}, no difference")
        )
    failed = sum(1 for finding in findings if finding.level == FAIL)
    warned = sum(1 for finding in findings if finding.level == WARN)
    code = Exit.PROBLEM_FOUND if failed or (strict and warned) else Exit.DONE
    if choices.json:
        print_json(_spelled(findings, differences, code))
        return code
    paper = Paper(choices)
    _draw(paper, findings)
    for line in differences[:SHOWN]:
        paper.line(f"      {line}")
    counts = f"{counted(failed, 'failure')}, {counted(warned, 'warning')}."
    paper.line(f"{counts}   Exit {int(code)}." if code else counts)
    return code


def examine(project: Project) -> Iterator[Finding]:
    """Every check that can be asked; what needs the database is left out when it does not answer."""
    reachable = True
    for check in _ANYWHERE:
        for finding in check(project):
            reachable = reachable and not (finding.check == "database" and finding.level == FAIL)
            yield finding
    for question in _WITH_DATABASE if reachable else ():
        try:
            yield from question(project)
        except NexumError as error:
            yield from_error(question.__name__, error)


def _draw(paper: Paper, findings: Iterable[Finding]) -> None:
    for finding in findings:
        said = f"{finding.text}   {finding.code}" if finding.code else finding.text
        paper.line(f"  {finding.check:<10}  {said}", lead=f"{finding.level:<4}", fg=_COLORS[finding.level])
        if finding.mend:
            paper.line(f"      {'':<10}  mend: {finding.mend}")


def _spelled(findings: list[Finding], differences: list[str], code: int) -> dict[str, Any]:
    wrong = [as_diagnostic(finding) for finding in findings if finding.level != OK]
    checks = [finding._asdict() for finding in findings]
    return envelope("nexum.doctor/1", code, diagnostics=wrong, checks=checks, differences=differences)
