"""What passes between the engine and whoever executes a node: work goes out, an outcome comes back.

The engine never runs a handler and a worker never decides: `Engine.begin` turns a claim into `Work`, the worker executes
it, `Engine.finish` records the outcome, lets the run advance, and may hand back the next `Work` of the same run. Only the
success of a transaction node is recorded earlier, inside the transaction that the handler wrote in (`Engine.complete`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from nexum.core.graph.workflow import AnyNode, Graph
from nexum.core.run.events import Cell, Error, Usage
from nexum.engine.memory import Known
from nexum.store.api import TaskKey

FIRST_TOKEN = 1  # of an attempt that nobody has claimed before


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair round of a language model's answer: which round, the invalid text, and what was wrong with it."""

    round: int
    raw: bytes
    error: Error


class Work(NamedTuple):
    """One attempt to execute. `inputs` are the canonical bytes of each parameter (None: the source was skipped).

    `key` is the idempotency key of an effect, also where its provider is asked about it ("" for other kinds). `max_run` is
    start_to_close in microseconds, to be measured on a monotonic clock from now. `now` is the store's clock when the work was
    handed out. `scheduled_at` is the recorded time of `NodeScheduled`: it is what `ctx.now` shows, the same for every attempt.
    `calls` are, for an undo, the results of the calls that its effect had journaled, by name. `is_shared`: its key is a business key, which other runs may come with. `doubtful`: an earlier attempt
    of this effect may have acted.
    """

    task: TaskKey
    token: int
    deliveries: int
    graph: Graph
    node: AnyNode
    cell: Cell
    attempt: int
    inputs: tuple[tuple[str, bytes | None], ...]
    input_hash: str
    key: str
    model: str
    max_run: int
    now: int
    scheduled_at: int
    tenant: str
    run_key: str
    trace: str
    repair: Repair | None = None
    calls: tuple[tuple[str, bytes], ...] = ()
    doubtful: bool = False
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned; `output` is canonical JSON that fits the node's schema.

    `reference` is the provider's own reference of an effect, `raw` what the provider or model answered literally.
    `journal` is canonical JSON about a model request: what was asked, what was answered. `answer` is what the asking of a
    provider found out: found (and `output` is what the effect would have returned), not_found, or cannot_tell (and
    `output` is the reason, a JSON text). `asked` are the names of the calls that a handler which journals calls has made or
    found journaled.
    """

    output: bytes
    reference: str = ""
    usage: Usage | None = None
    raw: bytes = b""
    journal: bytes = b""
    answer: str = ""
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended badly.

    `sent` matters for effects only: "no" proves that the request never left or was refused without acting, "yes" that it was
    done, "unknown" is everything else. `retry_after` is in microseconds (0: the retry policy decides). `repairable` marks a
    model's answer that a repair round may mend; `raw` is that answer. `status` is the HTTP status that an effect's provider
    answered with (0: it did not answer, or not by HTTP).
    """

    error: Error
    sent: str = "no"
    retry_after: int = 0
    repairable: bool = False
    raw: bytes = b""
    usage: Usage | None = None
    journal: bytes = b""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction node's writes and its completion are one commit; nothing is left to record.

    `size` is that of the output in bytes, `known` the run as it stands since, `ready` are the tasks that became ready, with
    their queues.
    """

    size: int
    known: Known
    ready: tuple[tuple[str, TaskKey], ...] = ()


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The task is no longer this session's: a transaction is rolled back, a call was not made; nothing is to be said."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The commit of a transaction node was sent and not answered; `instead` is the outcome if it did not take place."""

    instead: Failed


@dataclass(frozen=True, slots=True)
class Waits:
    """The handler met a call that another run is making, under the key `call`; `instead` is the outcome if it may not wait."""

    call: str
    instead: Failed


Reported = Succeeded | Failed
Outcome = Reported | Committed | TakenBack | Unanswered | Waits
