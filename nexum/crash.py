"""Named crash points: places where a test kills the process, to see what the next one makes of it.

A point is one call, `crash("effect.after_response", run_key=...)`, and costs a test of one flag when nothing is armed. It
is armed by the environment, so that it works in every process that a test starts:

    NEXUM_CRASH="effect.after_response:limit=1,file=/path/marker,run_key=claim-7"

Several points are separated by `;`. `limit` is how often the point strikes (default 1), counted over all processes through
marker files `<file>.1`, `<file>.2`, ... that are created exclusively and hold what the point said about itself, as JSON;
without `file` each process counts for itself. `nth` lets the first hits of each process pass. `mode` is what it does
(default `kill`):

    kill   SIGKILL: no handler, no `finally`, no flush, as the kernel's out-of-memory killer does
    stop   SIGSTOP: the process stands still until somebody sends SIGCONT, as a paused virtual machine does
    raise  `UnavailableError` NX-S102: at a point after a commit, the commit whose answer never arrived

Every other word must equal what the point says about itself (`run`, `run_key`, `node`, `attempt`).
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass

from nexum.errors import ConfigurationError, UnavailableError

VARIABLE = "NEXUM_CRASH"
MODES = ("kill", "stop", "raise")

# Where a name ends in `commit`, the commit is what stands between the two points. On PostgreSQL a claim, a record and a
# step are one statement each: the points inside their transactions exist only where they are spelt as several statements.
POINTS = frozenset(
    {
        # a start, in the caller's process
        *("api.start.before_tx", "api.start.after_insert", "api.start.before_commit"),
        *("api.start.after_commit", "api.start.after_publish"),
        # a message: received in the child, acknowledged in Celery's parent
        *("msg.received", "msg.before_ack", "msg.after_ack"),
        *("claim.before", "claim.after_update", "claim.after_commit"),
        "worker.before_session",
        # an attempt; `guard` is what is checked between the claim and the call; `after_send` is the sending client's to say
        "handler.before_call",
        *("effect.before_guard", "effect.after_guard", "effect.after_send", "effect.after_response"),
        *("effect.before_blob", "effect.after_blob", "effect.before_record_commit", "effect.after_record_commit"),
        "model.while_answering",
        # a call that a handler journals
        *("iocall.before_claim", "iocall.after_claim", "iocall.after_response"),
        *("iocall.before_blob", "iocall.after_blob", "iocall.after_record"),
        # the fast path: record and advance in one transaction
        *("step.before_commit", "step.after_commit"),
        *("transaction.before_commit", "transaction.after_commit"),
        # the slow path
        *("inbox.after_insert", "inbox.after_commit", "inbox.before_retry"),
        *("advance.after_lock", "advance.after_read", "advance.after_decide", "advance.after_append"),
        *("advance.before_commit", "advance.after_commit", "advance.after_recheck"),
        *("publish.before", "publish.mid_pipeline", "publish.after"),
        # the sweeper, rule by rule
        *("timer.before", "timer.after"),
        *("sweep.doubt.before", "sweep.doubt.after", "sweep.poison.before", "sweep.poison.after"),
        *("sweep.requeue.before", "sweep.requeue.after", "sweep.late_starts.before", "sweep.late_starts.after"),
        *("sweep.mail.before", "sweep.mail.after", "sweep.untold.before", "sweep.untold.after"),
        # what people do; `what` is cancel, terminate, retry, skip or fail
        *("decision.before", "decision.after", "request.before", "request.after"),
        *("deploy.register", "deploy.switch_default"),
    }
)


@dataclass(slots=True)
class _Armed:
    """One armed point: what must match, what it does how often, and how many hits this process has seen."""

    name: str
    wanted: dict[str, str]
    limit: int
    nth: int
    file: str
    mode: str
    hits: int = 0
    strokes: int = 0

    def strikes(self, context: dict[str, object]) -> bool:
        """Whether this hit is one that counts; takes the marker when it is."""
        if any(str(context.get(word)) != value for word, value in self.wanted.items()):
            return False
        self.hits += 1
        return self.hits >= self.nth and self._take(context)

    def _take(self, context: dict[str, object]) -> bool:
        if not self.file:
            self.strokes += 1
            return self.strokes <= self.limit
        for number in range(1, self.limit + 1):
            try:
                marker = os.open(f"{self.file}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            except FileExistsError:
                continue
            os.write(marker, json.dumps(context).encode())
            os.close(marker)
            return True
        return False


_armed: tuple[_Armed, ...] = ()


def crash(name: str, **context: object) -> None:
    """Kill or stop this process here if the point is armed and matches `context`; otherwise nothing.

    Raises `UnavailableError` (NX-S102) where it is armed with `mode=raise`.
    """
    if not _armed:
        return
    for point in _armed:
        if point.name == name and point.strikes(context):
            _strike(point)


def arm(text: str) -> None:
    """Arm the points that `text` names, in the form of the environment variable; "" disarms all.

    Raises `ConfigurationError` (NX-W230) for a point or a mode that does not exist, or a number that is none.
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
    mode = values.pop("mode", "kill")
    if mode not in MODES:
        raise ConfigurationError(f"{VARIABLE} is {text!r}: {mode!r} is none of {', '.join(MODES)}", code="NX-W230")
    return _Armed(name, wanted=values, limit=limit, nth=nth, file=values.pop("file", ""), mode=mode)


def _strike(point: _Armed) -> None:
    if point.mode == "raise":
        raise UnavailableError(f"the crash point {point.name} was armed", code="NX-S102")
    os.kill(os.getpid(), signal.SIGSTOP if point.mode == "stop" else signal.SIGKILL)


arm(os.environ.get(VARIABLE, ""))
