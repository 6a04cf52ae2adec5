"""The tree of errors. Every error has a stable code from the catalogue and says what, where, why and what to do now.

NexumError                    anything that Nexum raises on purpose
+-- BuildError                yours, at build: the workflow cannot be compiled; carries *all* diagnostics
+-- InputError                yours, at the door: an input, a payload or a request that does not fit
+-- HandlerError              yours, at run: a handler returned or did what it must not
|   +-- NonRetryable          raise it in a handler: no further attempt
|   +-- RetryAfter            raise it in a handler: try again after so many seconds
|   +-- Fail                  raise it in a handler: the run fails with this reason, nothing else is tried
|   +-- NonDeterministicEffect  raised by `IO`: a handler that ran again made another call than it had journaled
|   +-- NotSent               raise it in an effect: the request never left, so a retry is safe
|   +-- Answered              raise it in an effect: the provider answered with this HTTP status
|   +-- CannotTell            raise it where a provider is asked: neither found nor certainly absent
+-- ConflictError             the world moved: a key exists with other input, a state has changed
+-- UnavailableError          the world: a database, a broker, a provider does not answer
+-- ConfigurationError        yours, in settings
+-- InternalError             ours: a bug in Nexum
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.errors.catalogue import CATALOGUE, Entry

__all__ = [
    "Answered",
    "BuildError",
    "CannotTell",
    "ConfigurationError",
    "ConflictError",
    "Diagnostic",
    "Entry",
    "Fail",
    "HandlerError",
    "InputError",
    "InternalError",
    "NexumError",
    "NonDeterministicEffect",
    "NonRetryable",
    "NotSent",
    "RetryAfter",
    "UnavailableError",
    "entry",
]


def entry(code: str) -> Entry:
    """The catalogue's entry of a code; `KeyError` when it was never registered."""
    return CATALOGUE[code]


@dataclass(frozen=True, slots=True)
class Problem:
    """One field that does not fit: its path, the value received (shortened), and what was wanted."""

    path: str
    got: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.path}: got {self.got}, wanted {self.wanted}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: what, where, why, and how to mend it. `line` and `column` count from 1; 0 means unknown.

    `problems` are the fields of an input that do not fit.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    end_column: int = 0
    snippet: str = ""
    why: str = ""
    fixes: tuple[str, ...] = ()
    severity: str = "error"
    problems: tuple[Problem, ...] = ()


class NexumError(Exception):
    """An error with a code; `message` states the fact, `fixes` are things to do now, `where` is run, node or file:line."""

    default_code = "NX-X100"

    def __init__(
        self, message: str, *, code: str | None = None, where: str = "", why: str = "", fixes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.where = where
        self.why = why or entry(self.code).why
        self.fixes = fixes or entry(self.code).mend

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this error."""
        return entry(self.code).exit_code

    def __str__(self) -> str:
        said = f"[{self.code}] {self.message}{f' ({self.where})' if self.where else ''}"
        has_lines = "\n" in said
        end = "" if has_lines or said.endswith((".", "?", "!")) else "."
        fix = f"{chr(10) if has_lines else ' '}Fix: {self.fixes[0]}" if self.fixes else ""
        return f"{said}{end}{fix}"


class BuildError(NexumError):
    """The workflow cannot be compiled; `diagnostics` holds every finding, not only the first."""

    default_code = "NX-B100"

    def __init__(self, workflow: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        errors = [d for d in diagnostics if d.severity == "error"]
        lines = "".join(f"\n  [{d.code}] {d.file}:{d.line}: {d.message}" for d in errors)
        super().__init__(f"{workflow} has {len(errors)} build error{'s' if len(errors) != 1 else ''}{lines}")
        self.workflow = workflow
        self.diagnostics = diagnostics


class InputError(NexumError):
    """Something given from outside does not fit; `problems` names field path, what was got and what was wanted."""

    default_code = "NX-R101"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        where: str = "",
        fixes: tuple[str, ...] = (),
        problems: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(message, code=code, where=where, fixes=fixes)
        self.problems = problems


class HandlerError(NexumError):
    """A handler returned or did what it must not."""

    default_code = "NX-R200"


class NonRetryable(HandlerError):  # noqa: N818 (the name users write: `raise NonRetryable(...)`)
    """Raise it in a handler: this attempt failed and no other would fare better."""

    default_code = "NX-R210"


class Fail(HandlerError):  # noqa: N818
    """Raise it in a handler: the run fails with this reason; no retry, no failure handler."""

    default_code = "NX-R211"


class NotSent(HandlerError):  # noqa: N818
    """Raise it in an effect: the request never left this machine, so the attempt may be repeated."""

    default_code = "NX-E101"


class Answered(HandlerError):  # noqa: N818
    """Raise it in an effect: the provider answered with this HTTP `status`, which is no success.

    What that proves is for the effect's `provider=` to say. The errors of httpx, requests, aiohttp and urllib for a status
    are read by themselves; this is for other clients.
    """

    default_code = "NX-E212"

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message or f"the provider answered with status {status}")
        self.status = status


class CannotTell(HandlerError):  # noqa: N818
    """Raise it in the function behind `reconcile=`: the provider's answer proves neither that it acted nor that it did not."""

    default_code = "NX-E210"


class NonDeterministicEffect(HandlerError):  # noqa: N818
    """A handler that ran again made a call with other arguments than it had journaled, which was not sent, or left it out."""

    default_code = "NX-E220"


class RetryAfter(HandlerError):  # noqa: N818
    """Raise it in a handler: the other side asked us to come back after `seconds`."""

    default_code = "NX-R212"

    def __init__(self, seconds: float, message: str = "the other side asked us to come back later") -> None:
        super().__init__(message)
        self.seconds = seconds


class ConflictError(NexumError):
    """The world is not as the caller believed."""

    default_code = "NX-R409"


class UnavailableError(NexumError):
    """A service that Nexum needs does not answer."""

    default_code = "NX-S100"


class ConfigurationError(NexumError):
    """A setting is missing, misspelt or contradicts another."""

    default_code = "NX-F100"


class InternalError(NexumError):
    """A bug in Nexum; nothing recorded is lost."""

    default_code = "NX-X100"
