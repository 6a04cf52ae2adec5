"""What a check gives."""

from __future__ import annotations

from typing import NamedTuple

from nexum.errors import Diagnostic, NexumError, entry

OK, WARN, FAIL = "ok", "warn", "FAIL"


class Finding(NamedTuple):
    """An answer: how bad (`ok`, `warn`, `FAIL`), which check, what was seen, and for trouble its code and a way to mend it."""

    level: str
    check: str
    text: str
    code: str = ""
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    """Nothing is wrong."""
    return Finding(OK, check, text)


def trouble(check: str, text: str, code: str, *, level: str = FAIL, mend: str = "") -> Finding:
    """Something is wrong; `mend` defaults to the catalogue's first way."""
    return Finding(level, check, text, code, mend or entry(code).mend[0])


def from_error(check: str, error: NexumError) -> Finding:
    """A check that ended in an error of ours."""
    return Finding(FAIL, check, error.message, error.code, error.fixes[0] if error.fixes else "")


def as_diagnostic(finding: Finding) -> Diagnostic:
    """Trouble as it stands among the diagnostics of a JSON answer."""
    severity = "warning" if finding.level == WARN else "error"
    why = entry(finding.code).why
    return Diagnostic(
        finding.code, f"{finding.check}: {finding.text}", why=why, fixes=(finding.mend,), severity=severity
    )
