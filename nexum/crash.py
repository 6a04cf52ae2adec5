"""Named crash points: places where a test kills the process, to see what the next one makes of it.

A point is one call, `crash("effect.after_response", run_key=...)`, and costs a test of one flag when nothing is armed. It
is armed by the environment, so that it works in every process that a test starts:

    NEXUM_CRASH="effect.after_response:limit=1,file=/path/marker,run_key=claim-7"

Several points are separated by `;`. `limit` is how often the point kills (default 1), counted over all processes through
marker files `<file>.1`, `<file>.2`, ... that are created exclusively; without `file` each process counts for itself. `nth`
lets the first hits of each process pass. Every other word must equal what the point says about itself (`run_key`, `node`,
`attempt`). The process is killed by SIGKILL: no handler, no `finally`, no flush, as the kernel's out-of-memory killer does.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from nexum.errors import ConfigurationError

VARIABLE = "NEXUM_CRASH"

POINTS = frozenset(
    {
        "claim.after_commit",
        "handler.before_call",
        "effect.before_send",
        "drain.after_commit",
        "drain.before_commit",
        "effect.after_response",
        "effect.before_record",
        "effect.after_record",
        "model.while_answering",
        "step.before_commit",
        "start.after_insert",
        "step.after_commit",
        "sweep.after_rule",
        "transaction.after_commit",
        "transaction.before_commit",
        "worker.before_session",
    }
)


@dataclass(slots=True)
class _Armed:
    """One armed point: what must match, how often it kills, and how many hits this process has seen."""

    name: str
    wanted: dict[str, str]
    limit: int
    nth: int
    file: str
    hits: int = 0
    kills: int = 0

    def strikes(self, context: dict[str, object]) -> bool:
        """Whether this hit is one that kills; takes the marker when it is."""
        if any(str(context.get(word)) != value for word, value in self.wanted.items()):
            return False
        self.hits += 1
        return self.hits >= self.nth and self._take()

    def _take(self) -> bool:
        if not self.file:
            self.kills += 1
            return self.kills <= self.limit
        for number in range(1, self.limit + 1):
            try:
                os.close(os.open(f"{self.file}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            return True
        return False


_armed: tuple[_Armed, ...] = ()


def crash(name: str, **context: object) -> None:
    """Kill this process here if the point is armed and matches `context`; otherwise nothing."""
    if not _armed:
        return
    for point in _armed:
        if point.name == name and point.strikes(context):
            os.kill(os.getpid(), signal.SIGKILL)


def arm(text: str) -> None:
    """Arm the points that `text` names, in the form of the environment variable; "" disarms all.

    Raises `ConfigurationError` (NX-W230) for a point that does not exist or a number that is none.
    """
    global _armed
    _armed = tuple(_parse(part.strip()) for part in text.split(";") if part.strip())


def _parse(text: str) -> _Armed:
    name, _, words = text.partition(":")
    if name not in POINTS:
        raise ConfigurationError(f"{VARIABLE} names {name!r}, which is no crash point", code="NX-W230")
    values = dict(word.partition("=")[::2] for word in words.split(",") if word)
    try:
        limit, nth = int(values.pop("limit", "1")), int(values.pop("nth", "1"))
    except ValueError as error:
        raise ConfigurationError(f"{VARIABLE} is {text!r}: {error}", code="NX-W230") from error
    return _Armed(name, wanted=values, limit=limit, nth=nth, file=values.pop("file", ""))


arm(os.environ.get(VARIABLE, ""))
