"""Answers on paper: one JSON document, or text for whoever stands at the terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import click

from nexum.cli.table import dropped, narrowed, plain, rich
from nexum.cli.verb import Choices
from nexum.errors import Diagnostic
from nexum.readouts.calendar import moment
from nexum.version import __version__

STEERING = {"Cc", "Cf", "Zl", "Zp"}  # control characters, marks of format and direction, separators of lines
KEPT = "\n\t\u200c\u200d"
ENDLESS = 100_000  # columns of a pipe: what reads it can cut for itself


def envelope(schema: str, code: int, *, diagnostics: Iterable[Diagnostic] = (), **fields: Any) -> dict[str, Any]:
    """The document of every `--json`: its schema, who wrote it, the exit code, the answer, the findings."""
    from nexum.cli.complaints import as_json

    head = {"schema": schema, "nexum": __version__, "exit_code": int(code)}
    return {**head, **fields, "diagnostics": [as_json(finding) for finding in diagnostics]}


def print_json(document: dict[str, Any]) -> None:
    """One document on standard output."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    click.echo(legible(text, lambda char: json.dumps(char)[1:-1]))  # escapes that mean the same


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def legible(text: str, escaped: Callable[[str], str] = _escaped) -> str:
    """A text in which nothing steers a terminal: control characters and marks of direction are written as escapes.

    Lines and tabs stay, and the two invisible characters that join letters and emoji.
    """
    if text.isprintable():
        return text
    return "".join(escaped(char) if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    return char not in KEPT and not char.isprintable() and unicodedata.category(char) in STEERING


def wants_color(choice: str, stream: TextIO) -> bool:
    """Whether to colour: asked for, else as the environment says, else when a person is looking."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width_of(stream: TextIO) -> int:
    """Columns to fill: those of the terminal, or of `COLUMNS`; a pipe has no end."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    return shutil.get_terminal_size().columns if stream.isatty() else ENDLESS


class Paper:
    """Where a command writes its text. Words go to standard output, hints and progress to standard error."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.width = width_of(sys.stdout)
        self.color = wants_color(choices.color, sys.stdout)

    def line(self, text: str = "", *, lead: str = "", **style: Any) -> None:
        """A line of the answer; `lead` stands before the text, in a style where colours are wanted."""
        lead, text = legible(lead), legible(text)  # what was stored may hold sequences that the terminal obeys
        click.echo((click.style(lead, **style) if self.color and lead else lead) + text, color=self.color)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        flexible: str = "",
        telling: str = "",
        spare: Sequence[str] = (),
    ) -> None:
        """A table no wider than the paper; the column `flexible` gives way first, then those that are `spare` are left out.

        So is the column `telling`, where it would say the same in every row.
        """
        if telling and len({row[columns.index(telling)] for row in rows}) == 1:
            columns, rows = dropped(columns, rows, telling)
        columns, rows = narrowed(columns, rows, self.width, flexible, spare)
        draw = rich if self.color else plain
        click.echo(draw(columns, rows, self.width, flexible), color=self.color, nl=False)

    def hint(self, text: str) -> None:
        """Something that helps and is no part of the answer; silent with `--quiet` and `--json`."""
        if not (self.choices.quiet or self.choices.json):
            click.echo(legible(text), err=True)

    def at(self, micros: int, *, brief: bool = False) -> str:
        """A time with its offset from UTC; `brief` gives day and minute only."""
        if micros <= 0:
            return "-"
        at = moment(micros)
        here = at if self.choices.utc else at.astimezone()
        return here.strftime("%m-%d %H:%M" if brief else "%Y-%m-%d %H:%M:%S%z")


def duration(micros: int) -> str:
    """`1.2 s`, `4m05s`, `2h14m`, `3d4h`."""
    seconds = micros / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600}h"
