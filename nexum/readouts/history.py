"""Events become what people ask about: which attempts a node had, who made them, how each ended.

`fold` is the authority on where a cell stands; it forgets how it got there, which is what a page shows. So the events are
read twice: once folded, once collected here. When folding fails (events of a newer engine, a damaged history) the
collected part is still shown, and `broken` says why the rest is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nexum.core.run.codec import decode
from nexum.core.run.events import (
    AttemptFailed,
    AttemptStopped,
    Body,
    Cell,
    DoubtResolved,
    EffectInDoubt,
    Error,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeParked,
    NodeScheduled,
    NodeSkipped,
    RetryScheduled,
    RunCompleted,
    RunStarted,
    Usage,
)
from nexum.core.run.fold import Event, fold
from nexum.core.run.state import State
from nexum.core.run.transitions import IllegalEventError
from nexum.core.values import Ref, placed
from nexum.store.reading import ToldRow

GENESIS = bytes(32)


@dataclass(slots=True)
class Attempt:
    """One try. `outcome` is completed, reused, resolved, failed, stopped, in_doubt, or "" while nobody has reported."""

    number: int
    scheduled_at: int
    not_before: int = 0
    model: str = ""
    ended_at: int = 0
    outcome: str = ""
    worker: str = ""
    error: Error | None = None
    sent: str = ""
    evidence: str = ""
    raw: Ref | None = None
    journal: Ref | None = None
    usage: Usage | None = None
    seq: int = 0


@dataclass(slots=True)
class CellStory:
    """Everything that happened to one cell, in order of attempts."""

    cell: Cell
    kind: str = ""
    scheduled_at: int = 0
    scheduled_seq: int = 0
    ended_at: int = 0
    ended_seq: int = 0
    inputs: tuple[tuple[str, Ref | None], ...] = ()
    key: str = ""
    business: str = ""
    close_by: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    output: Ref | None = None
    reference: str = ""
    by: str = ""
    late: bool = False
    why: str = ""
    error: Error | None = None

    @property
    def latest(self) -> Attempt | None:
        """The current or last attempt."""
        return self.attempts[-1] if self.attempts else None


@dataclass(slots=True)
class History:
    """A run's events, told. `state` is None when they cannot be folded; `linked` says that no event is missing."""

    state: State | None
    cells: dict[Cell, CellStory]
    input: Ref | None = None
    result: tuple[tuple[str, Ref | None], ...] = ()
    linked: bool = True
    broken: str = ""
    length: int = 0


def tell(run_id: str, tenant: str, rows: Sequence[ToldRow]) -> History:
    """Read all events of a run."""
    history = History(State(run_id, tenant=tenant), {}, length=len(rows))
    digest = GENESIS
    for row in rows:
        if row.prev_hash != digest:
            history.linked = False
        digest = row.hash
        try:
            body = body_of(row)
        except (KeyError, TypeError, ValueError) as error:
            history.broken = history.broken or f"event {row.seq} ({row.type}) cannot be read: {error}"
            history.state = None
            continue
        _collect(history, row, body)
        _fold(history, row, body)
    return history


def body_of(row: ToldRow) -> Body:
    """The event's body. Raises `KeyError` for a type that this engine does not know."""
    return decode(row.type, Cell(row.path, row.visit, row.item), row.body)


def stories_of(history: History, node_id: str) -> list[CellStory]:
    """The stories of a node and of its repair rounds, in order of time."""
    mine = (story for cell, story in history.cells.items() if cell.path.partition("/")[0] == node_id)
    return sorted(mine, key=lambda story: (story.scheduled_seq or story.ended_seq, story.cell))


def _fold(history: History, row: ToldRow, body: Body) -> None:
    if history.state is None:
        return
    try:
        history.state = fold(history.state, Event(row.seq, row.at, body))
    except (IllegalEventError, KeyError, ValueError, AssertionError) as error:
        history.broken = f"event {row.seq} ({row.type}) does not follow: {error}"
        history.state = None


def _collect(history: History, row: ToldRow, body: Body) -> None:
    cell = Cell(row.path, row.visit, row.item)
    if row.path and cell not in history.cells:
        history.cells[cell] = CellStory(cell)
    story = history.cells.get(cell)
    match body:
        case RunStarted():
            history.input = placed(body.input, row.seq)
        case RunCompleted():
            history.result = body.result
        case NodeScheduled() if story:
            story.kind, story.inputs, story.key, story.business = body.kind, body.inputs, body.key, body.business
            story.scheduled_at, story.scheduled_seq, story.close_by = row.at, row.seq, body.close_by
            story.attempts.append(Attempt(1, row.at, body.not_before, body.model))
        case RetryScheduled() if story:
            story.error = None
            model = body.model or (story.latest.model if story.latest else "")
            story.attempts.append(Attempt(body.attempt, row.at, body.not_before, model))
        case AttemptFailed() | AttemptStopped() | EffectInDoubt() | DoubtResolved() if story:
            _attempt_ended(story, row, body)
        case NodeCompleted() if story:
            _completed(story, row, body)
        case NodeParked() if story:
            story.kind, story.error = story.kind or "effect", body.error
        case NodeFailed() | NodeSkipped() | NodeCancelled() if story:
            story.ended_at, story.ended_seq = row.at, row.seq
            story.error = getattr(body, "error", None)
            story.why = getattr(body, "why", "")


def _attempt_ended(
    story: CellStory, row: ToldRow, body: AttemptFailed | AttemptStopped | EffectInDoubt | DoubtResolved
) -> None:
    attempt = story.latest
    if attempt is None:
        return
    attempt.ended_at, attempt.worker, attempt.seq = row.at, row.actor, row.seq
    match body:
        case AttemptFailed():
            attempt.outcome, attempt.error, attempt.sent = "failed", body.error, body.sent
            attempt.raw, attempt.usage, attempt.journal = placed(body.raw, row.seq), body.usage, body.journal
        case AttemptStopped():
            attempt.outcome = "stopped"
        case EffectInDoubt():
            attempt.outcome, attempt.evidence = "in_doubt", body.evidence
        case DoubtResolved():
            attempt.outcome, attempt.evidence = "resolved", body.evidence or body.outcome
            if body.outcome == "happened":
                story.output, story.reference = placed(body.output, row.seq), body.reference
                story.ended_at, story.ended_seq, story.by = row.at, row.seq, "resolve"


def _completed(story: CellStory, row: ToldRow, body: NodeCompleted) -> None:
    story.ended_at, story.ended_seq, story.output = row.at, row.seq, placed(body.output, row.seq)
    story.by, story.late, story.reference = body.by, body.late, body.reference
    attempt = story.latest
    if attempt is not None and body.by != "repair":
        attempt.ended_at, attempt.worker, attempt.seq = row.at, row.actor, row.seq
        attempt.outcome = "reused" if body.by == "reuse" else "completed"
        attempt.usage, attempt.journal = body.usage, body.journal


def total_usage(stories: Iterable[CellStory]) -> tuple[int, int]:
    """Input and output tokens of all attempts."""
    used = [attempt.usage for story in stories for attempt in story.attempts if attempt.usage is not None]
    return sum(u.input_tokens for u in used), sum(u.output_tokens for u in used)
