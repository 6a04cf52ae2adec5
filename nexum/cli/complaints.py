"""Errors on paper: what, where, why, how to mend; the same as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from nexum.cli.answer import envelope, legible, print_json, wants_color
from nexum.errors import BuildError, Diagnostic, InputError, NexumError, entry

_COLORS = {"error": "red", "warning": "yellow"}


def complain(error: NexumError, code: int, *, as_json: bool, color: str) -> None:
    """Say an error: as text on standard error, or as the one document on standard output."""
    if as_json:
        print_json(envelope("nexum.error/1", code, diagnostics=diagnostics_of(error)))
        return
    text = legible(explained(error))
    click.echo(text if not wants_color(color, sys.stderr) else colored(text), err=True, color=True)


def diagnostics_of(error: NexumError) -> list[Diagnostic]:
    """An error as the findings it stands for: a build error has several, others are one."""
    if isinstance(error, BuildError):
        return list(error.diagnostics)
    known = entry(error.code)
    fields = error.problems if isinstance(error, InputError) else ()
    return [
        Diagnostic(
            error.code, error.message, why=error.why, fixes=error.fixes, severity=known.severity, problems=fields
        )
    ]


def as_json(finding: Diagnostic) -> dict[str, Any]:
    """A finding as it stands in every JSON answer."""
    spelled = {key: value for key, value in asdict(finding).items() if value not in ("", 0, ())}
    return spelled | {"fixes": [{"text": fix} for fix in finding.fixes], "docs": f"nexum explain {finding.code}"}


def explained(error: NexumError) -> str:
    """An error as a person reads it."""
    from nexum.compiler.diagnostics import render, render_all

    if isinstance(error, BuildError):
        return render_all(error.diagnostics)
    (finding,) = diagnostics_of(error)
    if not isinstance(error, InputError) or not error.problems:
        return _placed(render(finding), error.where)
    head, _, _ = error.message.partition(":")
    lines = render(Diagnostic(finding.code, head, why=finding.why, fixes=finding.fixes)).splitlines()
    return "\n".join([lines[0], *_problems(error), *lines[1:]])


def _placed(text: str, where: str) -> str:
    if not where:
        return text
    first, *rest = text.splitlines()
    return "\n".join([first, f"  --> {where}", *rest])


def _problems(error: InputError) -> Sequence[str]:
    width = max(len(problem.path) for problem in error.problems)
    return [f"   {p.path:<{width}}  got {p.got}, wanted {p.wanted}" for p in error.problems]


def colored(text: str) -> str:
    """The severity in its colour; what is coloured is always said in words too."""
    for severity, color in _COLORS.items():
        text = "\n".join(
            click.style(severity, fg=color, bold=True) + line.removeprefix(severity)
            if line.startswith(f"{severity}[")
            else line
            for line in text.splitlines()
        )
    return text
