"""`nexum explain CODE`: an entry of the error catalogue."""

from __future__ import annotations

import difflib
import textwrap

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.verb import Choices, verb
from nexum.errors import Entry, NexumError
from nexum.errors.catalogue import CATALOGUE

WIDTH = 88


@verb("explain", short_help="What an error code means and how to mend it.")
@click.argument("code", required=False)
@click.pass_obj
def command(choices: Choices, code: str | None) -> int:
    """Say what an error CODE means, why Nexum stops there, and how to mend it; without CODE, list all."""
    paper = Paper(choices)
    if code is None:
        _list(paper)
        return Exit.DONE
    entry = _entry(code)
    if choices.json:
        print_json(envelope("nexum.error-entry/1", Exit.DONE, entry=_spelled(entry)))
        return Exit.DONE
    paper.line(lead=f"{entry.code}  {entry.title}", bold=True)
    for name, text in (("means", entry.means), ("why", entry.why)):
        paper.line(_part(name, text))
    for place, mend in enumerate(entry.mend):
        paper.line(_part("mend" if place == 0 else "or", mend))
    paper.line(_part("exit", f"{entry.exit_code}{'   worth trying again' if entry.retryable else ''}"))
    return Exit.DONE


def _entry(code: str) -> Entry:
    wanted = code.upper().removeprefix("NX-")
    found = CATALOGUE.get(f"NX-{wanted}")
    if found is not None:
        return found
    near = difflib.get_close_matches(f"NX-{wanted}", CATALOGUE, n=3, cutoff=0.7)
    hint = f"; near it are {', '.join(near)}" if near else ""
    raise NexumError(f"error code {code!r} is not in the catalogue{hint}", code="NX-F105")


def _list(paper: Paper) -> None:
    if paper.choices.json:
        print_json(envelope("nexum.error-entries/1", Exit.DONE, entries=[_spelled(e) for e in CATALOGUE.values()]))
        return
    rows = [(code, entry.title) for code, entry in sorted(CATALOGUE.items())]
    paper.table(("CODE", "TITLE"), rows, flexible="TITLE")


def _spelled(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def _part(name: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=f"  {name:<6}", subsequent_indent=" " * 8)
