"""Tables: plain text anywhere, rich (imported when it is first needed) where colours are wanted."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence

GAP = "  "
NARROWEST = 6
LEGIBLE = 20  # of the column that gives way, before others are left out
_STYLES = {
    "COMPLETED": "green",
    "SAFE": "green",
    "ok": "green",
    "BREAKING": "yellow",
    "warn": "yellow",
    "CRITICAL": "red",
    "FAILED": "red",
    "FAIL": "red",
    "IDENTICAL": "dim",
    "CANCELLED": "dim",
}

Rows = Sequence[Sequence[str]]


def plain(columns: Sequence[str], rows: Rows, width: int, flexible: str = "") -> str:
    """Columns as wide as their widest cell; when the line is too long, `flexible` (else the widest) is cut."""
    widths = _fitted(columns, rows, width, flexible)
    lines = [GAP.join(_cell(text, size) for text, size in zip(row, widths, strict=True)) for row in (columns, *rows)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def rich(columns: Sequence[str], rows: Rows, width: int, flexible: str = "") -> str:
    """The same table in colour; a word that is coloured says the same without."""
    from rich.console import Console
    from rich.text import Text

    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=width, highlight=False, soft_wrap=True)
    widths = _fitted(columns, rows, width, flexible)
    for place, row in enumerate((columns, *rows)):
        line = Text()
        for text, size in zip(row, widths, strict=True):
            line.append(_cell(text, size), style="bold" if place == 0 else _STYLES.get(text.split(" ")[0], ""))
            line.append(GAP)
        line.rstrip()
        console.print(line)
    return paper.getvalue()


def narrowed(
    columns: Sequence[str], rows: Rows, width: int, flexible: str, spare: Sequence[str]
) -> tuple[Sequence[str], Rows]:
    """Without those of the spare columns, the first ones first, for which there is no room beside a legible `flexible`."""
    for name in spare:
        widths = [max(_size(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
        given = sum(min(size, LEGIBLE) if columns[place] == flexible else size for place, size in enumerate(widths))
        if given + len(GAP) * (len(widths) - 1) <= width:
            break
        columns, rows = dropped(columns, rows, name)
    return columns, rows


def dropped(columns: Sequence[str], rows: Rows, name: str) -> tuple[Sequence[str], Rows]:
    """Without the column of this name."""
    at = columns.index(name)
    return [*columns[:at], *columns[at + 1 :]], [[*row[:at], *row[at + 1 :]] for row in rows]


def _fitted(columns: Sequence[str], rows: Rows, width: int, flexible: str) -> list[int]:
    widths = [max(_size(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    order = sorted(range(len(widths)), key=lambda place: (columns[place] != flexible, -widths[place]))
    for place in order:
        if excess <= 0:
            break
        cut = min(excess, max(0, widths[place] - NARROWEST))
        widths[place] -= cut
        excess -= cut
    return widths


def _cell(text: str, size: int) -> str:
    text = "".join(char if char.isprintable() else " " for char in text)
    if _size(text) > size:
        while _size(text) > size - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (size - _size(text))


def _size(text: str) -> int:
    """Columns on a terminal: Japanese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
