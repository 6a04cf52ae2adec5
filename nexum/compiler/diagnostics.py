"""What is wrong, where, why it matters, and how to mend it: making findings, and writing them for people."""

from __future__ import annotations

import difflib
import os
import textwrap
from collections.abc import Iterable

from nexum.compiler.sources import Span
from nexum.errors import BuildError, Diagnostic, entry

WIDTH = 96


def finding(
    code: str, message: str, at: Span, *, why: str = "", fixes: tuple[str, ...] = (), severity: str = ""
) -> Diagnostic:
    """A diagnostic; why and fixes default to those of the catalogue."""
    known = entry(code)
    return Diagnostic(
        code=code,
        message=message,
        file=at.file,
        line=at.line,
        column=at.column,
        end_column=at.end_column,
        snippet=at.snippet,
        why=why or known.why,
        fixes=fixes or known.mend,
        severity=severity or known.severity,
    )


def build_error(workflow: str, findings: Iterable[Diagnostic]) -> BuildError:
    """The error of a build; the findings in full stand under its traceback."""
    found = tuple(findings)
    error = BuildError(workflow, found)
    error.add_note("\n" + render_all(found))
    return error


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or an empty string."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'amount'?`, or nothing."""
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def render(diagnostic: Diagnostic) -> str:
    """A diagnostic as text: what, where with the source line and carets, why, how to mend.

    Paths below the working directory are shown relative to it.
    """
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    gutter = " " * max(2, len(str(diagnostic.line)))
    if diagnostic.file:
        column = f":{diagnostic.column}" if diagnostic.column else ""
        lines.append(f"{gutter}--> {_shown(diagnostic.file)}:{diagnostic.line}{column}")
        lines.append(f"{gutter} |")
    if diagnostic.snippet:
        lines.append(f"{diagnostic.line:>{len(gutter)}} | {diagnostic.snippet.rstrip()}")
        carets = "^" * max(1, diagnostic.end_column - diagnostic.column)
        lines.append(f"{gutter} | {' ' * (diagnostic.column - 1)}{carets}" if diagnostic.column else f"{gutter} |")
        lines.append(f"{gutter} |")
    if diagnostic.why:
        lines.extend(_part(gutter, "why", diagnostic.why))
    for place, fix in enumerate(diagnostic.fixes):
        if place == 0:
            lines.extend(_part(gutter, "fix", fix))
        else:
            lines.extend(_wrapped(f"{gutter}        or ", f"{gutter}           ", fix))
    lines.append(f"{gutter} = more: nexum explain {diagnostic.code}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic]) -> str:
    """All diagnostics, and a count of errors and warnings at the end."""
    found = list(diagnostics)
    errors = sum(1 for item in found if item.severity == "error")
    count = f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
    return "\n\n".join([*(render(item) for item in found), count])


def counted(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _part(gutter: str, name: str, text: str) -> list[str]:
    return _wrapped(f"{gutter} = {name}: ", f"{gutter}        ", text)


def _wrapped(first: str, rest: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _shown(file: str) -> str:
    below = os.path.relpath(file) if os.path.isabs(file) else file
    return file if below.startswith("..") else below
