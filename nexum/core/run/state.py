"""What is known about a run after some of its events: values only, nothing that could be looked up elsewhere.

Maps are persistent (HAMT, by the `immutables` package): setting one cell of ten thousand copies a handful of nodes, so
the cost of folding an event does not depend on the length of the history. The two values are named tuples, because
`_replace` is ten times faster there than for a frozen dataclass, and folding replaces all the time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from immutables import Map

from nexum.core.run.events import RUN, Cell, Error
from nexum.core.values import Ref


class Phase(StrEnum):
    """Where a run stands."""

    NEW = "NEW"
    RUNNING = "RUNNING"
    CLOSING = "CLOSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TERMINATED = "TERMINATED"

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will be decided."""
        return self in _ENDED


_ENDED = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED, Phase.TERMINATED})


class CellStatus(StrEnum):
    """Where one cell stands. ATTEMPT_FAILED and STOPPED last only inside one advance, but for a repair under way.

    PARKED waits for a person.
    """

    SCHEDULED = "SCHEDULED"
    ATTEMPT_FAILED = "ATTEMPT_FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    IN_DOUBT = "IN_DOUBT"
    PARKED = "PARKED"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the cell has its last event."""
        return self in _TERMINAL


_TERMINAL = frozenset({CellStatus.COMPLETED, CellStatus.SKIPPED, CellStatus.FAILED, CellStatus.CANCELLED})


class Proposal(NamedTuple):
    """What the person `by` states about an effect in doubt, in event `seq` at `at`; it waits for a second person."""

    seq: int
    at: int
    by: str
    outcome: str
    output: Ref | None
    reference: str
    reason: str


class CellState(NamedTuple):
    """One cell. `inputs` are kept while the cell is open; `output` once it has completed.

    `overdue`: schedule_to_close has passed. `doubtful`: an attempt of this effect may have acted. `repairs` counts repair
    rounds of this visit, `rounds` those since the current model was asked first. `counted_from` is the attempt from which
    the policy counts: the first of the current model, or the first after a person asked for another.

    An effect in doubt: `cleared` says that its provider once did not know it, `proof` is what is known of its sender,
    `quiet_from` is the instant from which nobody can send it any more, `asked` counts the askings of its provider,
    `asked_before` those before this doubt, and `ask_now` says that a person wants another one. `proposed` is what waits for a
    second person.
    An asking: its `answer`, and when that was given. `reference` is the provider's own, of whichever of the two.
    """

    status: CellStatus
    kind: str = ""
    attempt: int = 0
    scheduled_at: int = 0
    inputs: tuple[tuple[str, Ref | None], ...] = ()
    input_hash: str = ""
    key: str = ""
    business: str = ""
    not_before: int = 0
    close_by: int = 0
    model: str = ""
    output: Ref | None = None
    error: Error | None = None
    retry_after: int = 0
    repairable: bool = False
    raw: Ref | None = None
    stopping: str = ""
    overdue: bool = False
    doubtful: bool = False
    repairs: int = 0
    rounds: int = 0
    counted_from: int = 1
    quiet_from: int = 0
    asked: int = 0
    asked_before: int = 0
    ask_now: bool = False
    cleared: bool = False
    proof: str = ""
    answer: str = ""
    answered_at: int = 0
    reference: str = ""
    proposed: Proposal | None = None


class Deed(NamedTuple):
    """What an effect did: where, from which inputs, with which output.

    `late`: it happened while the run was closing, so nobody has read it. `undone`: its undo has completed.
    """

    cell: Cell
    inputs: tuple[tuple[str, Ref | None], ...]
    output: Ref | None
    late: bool = False
    undone: bool = False


class Requested(NamedTuple):
    """What a person asks for a cell: `what` is retry, skip or fail. It is answered by the very next decision.

    A retry is wanted at the instant `not_before`, when that is to come.
    """

    cell: Cell
    what: str
    reason: str
    output: Ref | None = None
    not_before: int = 0


_NO_CELLS: Map[Cell, CellState] = Map()
_NO_TIMERS: Map[str, int] = Map()
_NONE_OPEN: Map[Cell, bool] = Map()
_NO_DEEDS: Map[str, Deed] = Map()


class State(NamedTuple):
    """The whole of a run. `fresh` are the cells that changed since the last fact and may let others go on.

    `open` holds the cells without a terminal event; `settled` counts nodes (not repair rounds) that readers may pass.
    `timers` maps armed timers to the instant at which they fall due. `now` is the recorded time of the last fact, the
    only clock that decisions see. `ledger` holds what this run has done to the world, by effect key; a result that another
    run left under a business key is not among it. `compensate`: a closing run undoes its deeds.
    """

    run_id: str
    tenant: str = "default"
    workflow: str = ""
    version: str = ""
    phase: Phase = Phase.NEW
    seq: int = 0
    now: int = 0
    run_key: str = ""
    input: Ref | None = None
    cells: Map[Cell, CellState] = _NO_CELLS
    timers: Map[str, int] = _NO_TIMERS
    fresh: tuple[Cell, ...] = ()
    open: Map[Cell, bool] = _NONE_OPEN
    settled: int = 0
    suspended: bool = False
    cause: str = ""
    cause_error: Error | None = None
    cause_cell: Cell = RUN
    cancel_reason: str = ""
    compensate: bool = True
    ledger: Map[str, Deed] = _NO_DEEDS
    requested: Requested | None = None


def _quick(kind: type[Any]) -> None:
    """Give a named tuple a `_replace` that costs a third: folding an event replaces five times."""
    places = {name: place for place, name in enumerate(kind._fields)}
    make = tuple.__new__

    def _replace(self: Any, **changes: Any) -> Any:
        values = list(self)
        for name, value in changes.items():
            values[places[name]] = value
        return make(kind, values)

    kind._replace = _replace


_quick(CellState)
_quick(State)
