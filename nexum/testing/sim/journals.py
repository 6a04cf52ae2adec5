"""What must hold about calls that handlers journal, and about the nodes that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nexum.core.ids import TaskKey
from nexum.core.run.events import CELL_TERMINAL, RUN, Cell, DoubtResolved, NodeFailed
from nexum.core.run.fold import Event
from nexum.core.run.state import CellStatus, State
from nexum.engine.work import Work
from nexum.testing.sim.provider import Request

UNKNOWN = frozenset({"CLAIMED", "UNKNOWN", "IN_DOUBT"})
INSIDE = "/io."


class Journals:
    """Looks at calls. `say` writes a violation down."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._seen: dict[tuple[object, int], object] = {}
        self._bodies: dict[tuple[str, str, str], str] = {}

    def claimed(self, tables: Any, state: State, effect: Any) -> None:
        """A call was claimed in this commit: by whoever holds the task of its node, and not after it was given up."""
        call = state.cells.get(Cell(effect.path, effect.visit, effect.item))
        if call is not None and call.status is CellStatus.FAILED:
            self._say("J4", f"{effect.path} was claimed by {effect.session} after somebody gave it up")
        parent = effect.path.partition(INSIDE)[0]
        key = TaskKey(effect.run_id, parent, effect.visit, effect.item, effect.attempt)
        task = tables.tasks.rows.get(key)
        if task is None or (task.state, task.session) != ("CLAIMED", effect.session):
            self._say("J2", f"{effect.path} was claimed by {effect.session}, who does not hold {key}")

    def ended(self, tables: Any, state: State, events: Iterable[Event]) -> None:
        """With these events a run stands in this state: no node has ended over a call that is unknown, and not given up."""
        events = list(events)
        decided = {event.body.cell for event in events if isinstance(event.body, DoubtResolved)}
        for event in events:
            cell = getattr(event.body, "cell", RUN)
            if isinstance(event.body, NodeFailed) and cell not in decided:
                self._failed(tables, state, event.body)
            if type(event.body).__name__ in CELL_TERMINAL and "/" not in cell.path:
                for effect in calls_of(tables, state.run_id, cell):
                    call = state.cells.get(cell._replace(path=effect.path))
                    given_up = call is not None and call.status.is_terminal
                    if effect.state in UNKNOWN and not given_up:
                        said = f"{event.body} is recorded, but {effect.path} is {effect.state}"
                        self._say("J1", f"run {state.run_id}: {said}")

    def _failed(self, tables: Any, state: State, body: NodeFailed) -> None:
        """A cell has failed: if it is an effect, it is known that it was not made, or somebody has decided about it."""
        effect = tables.effects.get(state.tenant, state.cells[body.cell].key)
        its = effect is not None and (effect.run_id, effect.path, effect.visit, effect.item) == (
            state.run_id,
            *body.cell,
        )
        if its and effect.state in UNKNOWN:
            self._say("C3", f"run {state.run_id}: {body} is recorded, but the effect is {effect.state}")

    def sends(self, request: Request) -> None:
        """A call is about to leave: under one key nothing but the same is ever asked for."""
        name = (request.tool, request.tenant, request.key)
        if self._bodies.setdefault(name, request.body) != request.body:
            self._say("I8", f"{request.place} asks for other things under {request.key} than before")

    def saw(self, work: Work, place: int, value: object) -> None:
        """A handler was given what a call brought: the same as every execution of it before."""
        before = self._seen.setdefault((work.task[:4], place), value)
        if before != value:
            self._say("J3", f"{work.task} was given {value} by its call {place}, and before it was {before}")


def calls_of(tables: Any, run_id: str, parent: Cell) -> Iterator[Any]:
    """The effects that are calls of a cell."""
    for effect in tables.effects.rows.values():
        here = effect.run_id == run_id and effect.path.startswith(f"{parent.path}{INSIDE}")
        if here and (effect.visit, effect.item) == (parent.visit, parent.item):
            yield effect
