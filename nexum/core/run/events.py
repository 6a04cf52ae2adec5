"""What can have happened in a run: a closed list of event bodies.

A *fact* comes from outside and carries a dedupe key that is unique in its run; a *decision* is derived by `decide` and
carries none. Bodies hold what was resolved at the time (inputs, keys, due times), so that folding needs no graph.
Times are microseconds since 1970 by the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.core.run.cell import NEVER as NEVER
from nexum.core.run.cell import RUN as RUN
from nexum.core.run.cell import Cell as Cell
from nexum.core.run.statements import DoubtProposed as DoubtProposed
from nexum.core.run.statements import DuplicateAcknowledged as DuplicateAcknowledged
from nexum.core.values import Ref


@dataclass(frozen=True, slots=True)
class Error:
    """Why something failed: a code of the catalogue, the exception's type, a message, and the handler's traceback.

    Message and traceback are cut at 16 KB together; `fold` does not keep the traceback in the state.
    """

    code: str
    message: str
    type: str = ""
    retryable: bool = False
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model request used. `cost` stays 0 until prices are known; `served` is the model that answered."""

    model: str = ""
    served: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Fact: the run exists, pinned to `version`."""

    workflow: str
    version: str
    input: Ref
    run_key: str = ""


@dataclass(frozen=True, slots=True)
class NodeScheduled:
    """Decision: attempt 1 of a cell may be executed.

    `inputs` names the payload of each parameter (None: the source was skipped); `input_hash` is the hash over them.
    `key` is the effect's key, `business` its business key. `close_by` is the instant at which schedule_to_close ends (0:
    never). `model` is the language model asked.
    """

    cell: Cell
    kind: str
    inputs: tuple[tuple[str, Ref | None], ...]
    input_hash: str
    key: str = ""
    business: str = ""
    close_by: int = 0
    not_before: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class NodeSkipped:
    """Decision: the current visit will not run; `why` is a sentence. `by` is "person" when somebody asked for it."""

    cell: Cell
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class NodeCompleted:
    """Fact or decision: the cell has its output.

    `by` is attempt, repair, reuse, person, call (that a handler journaled), or read (the same, and it changed nothing);
    `late`: nobody will read it. `journal` is what a language model was asked and what it answered. `answer` is what the
    asking of a provider found out: found (then `output` is the effect's), not_found or cannot_tell (then `output` is the
    reason, a text). `source` is the other run whose recorded effect is reused.
    """

    cell: Cell
    output: Ref
    attempt: int = 0
    by: str = "attempt"
    reference: str = ""
    late: bool = False
    usage: Usage | None = None
    journal: Ref | None = None
    answer: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """Decision: the cell has failed for good. `by` is "person" when somebody asked for it."""

    cell: Cell
    error: Error
    by: str = ""


@dataclass(frozen=True, slots=True)
class NodeCancelled:
    """Decision: the cell will not end by itself any more."""

    cell: Cell
    why: str


@dataclass(frozen=True, slots=True)
class NodeStopping:
    """Decision: no further attempt; an attempt under way is asked to stop, its outcome still counts."""

    cell: Cell
    why: str


@dataclass(frozen=True, slots=True)
class NodeParked:
    """Decision: no attempt is left that the policy allows; the cell waits for a person, and keeps its inputs and key."""

    cell: Cell
    error: Error


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """Fact: one attempt ended badly. `sent` (effects) is no, yes or unknown; `retry_after` is in microseconds.

    `raw` is the invalid text of a model's answer; `repairable` says that a repair round may mend it. `alive_until` is the
    instant until which a process that sent this effect may live (0: none does). `status` is the HTTP status answered (0: none).
    """

    cell: Cell
    attempt: int
    error: Error
    sent: str = "no"
    retry_after: int = 0
    repairable: bool = False
    raw: Ref | None = None
    usage: Usage | None = None
    journal: Ref | None = None
    alive_until: int = 0
    status: int = 0


@dataclass(frozen=True, slots=True)
class AttemptStopped:
    """Fact: the attempt ended because it was asked to; `claimed` tells whether a worker had begun it."""

    cell: Cell
    attempt: int
    claimed: bool


@dataclass(frozen=True, slots=True)
class EffectInDoubt:
    """Fact: the effect was sent, its outcome is not known, and policy forbids to send again.

    `proof` is what is known of the sender: reported (it cannot tell), ended (proven dead), expired (only silent), stored (the
    provider repeats a stored error: sending again would not help), acted (it returned what cannot be recorded: it happened).
    From the instant `quiet_from` (`NEVER`: unknown) no process can send any more; what was sent before may still travel. `raw` is
    what the handler returned that cannot be recorded. Said of an effect in doubt, it is later and better evidence about it.
    """

    cell: Cell
    attempt: int
    evidence: str = ""
    proof: str = ""
    quiet_from: int = NEVER
    raw: Ref | None = None


@dataclass(frozen=True, slots=True)
class DoubtResolved:
    """Fact by a person, decision by `reconcile`, about a doubt. `outcome` is happened, did_not_happen or abandon.

    `confirms` is the event of another person's statement that this one confirms (0: none), `link` the address of what was seen.
    """

    cell: Cell
    outcome: str
    output: Ref | None = None
    reference: str = ""
    evidence: str = ""
    by: str = "person"
    confirms: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class SenderEnded:
    """Fact: who sent an effect in doubt had only fallen silent; it is proven that it cannot send since `quiet_from`."""

    cell: Cell
    attempt: int
    quiet_from: int


@dataclass(frozen=True, slots=True)
class DuplicateEffectSuspected:
    """Fact: a late result, with `output` and `reference`, of an effect that has ended otherwise: as `recorded`, or given up."""

    cell: Cell
    attempt: int
    output: Ref | None = None
    reference: str = ""
    recorded: str = ""


@dataclass(frozen=True, slots=True)
class ReconcileRequested:
    """Fact: somebody wants the provider to be asked now about an effect in doubt."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """Decision: the next attempt of the same visit, same inputs, same key; not before the instant `not_before`.

    `by` is "person" when somebody asked for it: such an attempt costs none of those that the policy allows.
    """

    cell: Cell
    attempt: int
    not_before: int
    model: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Fact: somebody wants the next attempt, of a cell that waits for its time or of a parked one: now, or at `not_before`."""

    cell: Cell
    reason: str
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class SkipRequested:
    """Fact: somebody wants the run to go on without this cell: with `output` in place of its own, or with none."""

    cell: Cell
    reason: str
    output: Ref | None = None


@dataclass(frozen=True, slots=True)
class FailRequested:
    """Fact: somebody wants this cell to fail for good; where an undo is meant, that it is given up."""

    cell: Cell
    reason: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    """Fact: an armed timer fell due."""

    timer: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Fact: somebody wants the run to end without completing; with `compensate`, what it has done is undone."""

    reason: str
    compensate: bool = True


@dataclass(frozen=True, slots=True)
class RunSuspended:
    """Fact: `decide` or `fold` raised; nothing more is decided until an engine that can resumes the run."""

    error: Error


@dataclass(frozen=True, slots=True)
class RunResumed:
    """Fact: a suspended run may be decided again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RunClosing:
    """Decision: nothing new is scheduled; what is under way is stopped or awaited. `cause` is failed or cancelled.

    With `compensate`, deeds are undone once nothing is open any more.
    """

    cause: str
    error: Error | None = None
    cell: Cell = RUN
    compensate: bool = True


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """Decision: the run's result. `result` lists (node id, output); the value is built from them as the graph says."""

    result: tuple[tuple[str, Ref | None], ...]


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Decision: the first cause, and the cell where it arose.

    `undone` says how many of the deeds that can be undone were: all, some, none, or "" where there was nothing to undo.
    `given_up` are the undos that a person gave up. `left` are journaled calls that stand although their effect has not completed.
    """

    error: Error
    cell: Cell = RUN
    undone: str = ""
    given_up: tuple[Cell, ...] = ()
    left: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """Decision: the run ended because somebody asked for it. `undone`, `given_up` and `left` as in `RunFailed`."""

    reason: str
    undone: str = ""
    given_up: tuple[Cell, ...] = ()
    left: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class RunTerminated:
    """Fact: ended at once, nothing awaited or undone. `in_flight` effects were being executed, `in_doubt` may have acted."""

    reason: str
    in_flight: tuple[Cell, ...] = ()
    in_doubt: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Fact: a message that had no effect any more, and why."""

    what: str
    why: str


Body = (
    RunStarted
    | NodeScheduled
    | NodeSkipped
    | NodeCompleted
    | NodeFailed
    | NodeCancelled
    | NodeStopping
    | NodeParked
    | AttemptFailed
    | AttemptStopped
    | EffectInDoubt
    | DoubtResolved
    | DoubtProposed
    | ReconcileRequested
    | DuplicateEffectSuspected
    | DuplicateAcknowledged
    | SenderEnded
    | RetryScheduled
    | RetryRequested
    | SkipRequested
    | FailRequested
    | TimerFired
    | CancelRequested
    | RunSuspended
    | RunResumed
    | RunClosing
    | RunCompleted
    | RunFailed
    | RunCancelled
    | RunTerminated
    | Ignored
)

BODIES: dict[str, type[Body]] = {body.__name__: body for body in Body.__args__}
CELL_TERMINAL = frozenset({"NodeCompleted", "NodeFailed", "NodeSkipped", "NodeCancelled"})
RUN_TERMINAL = frozenset({"RunCompleted", "RunFailed", "RunCancelled", "RunTerminated"})
DEAD = frozenset({"NodeParked", "RunFailed"})  # dead letters: nobody tries again unless a person says so
