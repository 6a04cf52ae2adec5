"""What must hold when deeds are undone: when, in which order, and that none is forgotten. It asks the graph, never the engine."""

from __future__ import annotations

from collections.abc import Callable

from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, DoubtResolved, NodeCompleted, NodeFailed, NodeScheduled, RunCancelled, RunFailed
from nexum.core.run.fold import Event
from nexum.core.run.places import call_name
from nexum.core.run.state import CellStatus, State

UNDO = "/undo"


class Saga:
    """One run's deeds, in the order in which they were done. `say` writes a violation down."""

    def __init__(self, graph: Graph, say: Callable[[str, str], None]) -> None:
        self._graph = graph
        self._say = say
        self._below = {node.id: _below(graph, node.id) for node in graph.nodes}
        self._deeds: dict[str, str] = {}  # the node that did it, by the key under which it was done
        self._calls: dict[str, set[Cell]] = {}  # those that were made, by the node that made them
        self._taken_back: set[Cell] = set()
        self._undone: set[str] = set()
        self._given_up: set[str] = set()

    def saw(self, before: State, event: Event) -> None:
        """One more event, in the state that it met."""
        body = event.body
        match body:
            case NodeCompleted(by="person"):
                self._finished(body.cell, before, deed=False)
            case NodeCompleted(by="read"):
                pass
            case NodeCompleted():
                self._finished(body.cell, before, deed=not body.source)
            case DoubtResolved(outcome="happened"):
                self._finished(body.cell, before, deed=True)
            case NodeFailed() if body.cell.path.endswith(UNDO):
                self._given_up.add(_node(body.cell))
                if body.by != "person":
                    self._say("U2", f"run {before.run_id}: {body.cell.path} has failed, and nobody gave it up")
            case NodeScheduled() if body.cell.path.endswith(UNDO):
                self._begins(before, _node(body.cell))
            case RunFailed() | RunCancelled():
                self._ends(before, body)

    def _finished(self, cell: Cell, before: State, *, deed: bool) -> None:
        if cell.path.endswith(UNDO):
            self._undone.add(_node(cell))
            self._taken_back |= self._calls.get(_node(cell), set())
        elif call_name(cell):
            self._calls.setdefault(_node(cell), set()).add(cell)
        elif deed and "/" not in cell.path and isinstance(self._graph[cell.path], Effect):
            self._deeds.setdefault(before.cells[cell].key, cell.path)

    def _begins(self, state: State, name: str) -> None:
        where = f"run {state.run_id}: {name} is undone"
        going = [cell.path for cell in state.open if UNDO not in cell.path]
        if going:
            self._say("U1", f"{where}, and {going} still go forward")
        left = sorted(self._left(state) & self._below[name])
        if left:
            self._say("U1", f"{where} before {left}, which follow it")
        if name not in self._left(state):
            self._say("U1", f"{where}, which is no deed, or not to be undone, or undone already")

    def _ends(self, state: State, body: RunFailed | RunCancelled) -> None:
        left = self._left(state)
        if state.compensate and left:
            self._say("U2", f"run {state.run_id} has ended, and {sorted(left)} are not undone")
        due = self._due(state)
        undone = due & self._undone
        word = "" if not due else "all" if undone == due else "some" if undone else "none"
        if body.undone != word:
            self._say("U2", f"run {state.run_id} says that {body.undone or 'nothing'} was undone; it is {word}")
        standing = {cell for name in self._half_done(state) for cell in self._calls[name]} - self._taken_back
        if set(body.left) != standing:
            self._say("U2", f"run {state.run_id} says that {body.left} stand; it is {sorted(standing)}")
        if {cell.path.removesuffix(UNDO) for cell in body.given_up} != due & self._given_up:
            self._say("U2", f"run {state.run_id} says that {body.given_up} were given up; it is {self._given_up}")

    def _left(self, state: State) -> set[str]:
        return self._due(state) - self._undone - self._given_up

    def _due(self, state: State) -> set[str]:
        """Deeds, whole and half, that have a way back, and no completed pivot at or below them."""
        found = set()
        for name in (*self._deeds.values(), *self._half_done(state)):
            node = self._graph[name]
            if isinstance(node, Effect) and node.compensate is not None:
                ways = [self._graph[each] for each in (name, *self._below[name])]
                points = [each for each in ways if isinstance(each, Effect) and each.pivot]
                if not any(_completed(state, each.id) for each in points):
                    found.add(name)
        return found

    def _half_done(self, state: State) -> list[str]:
        """The nodes that have ended, and not with a result of their own, after they had made some calls."""
        ended = [name for name in self._calls if state.cells[Cell(name)].status.is_terminal]
        return [name for name in ended if state.cells[Cell(name)].key not in self._deeds]


def _completed(state: State, name: str) -> bool:
    at = state.cells.get(Cell(name))
    return at is not None and at.status is CellStatus.COMPLETED


def _node(cell: Cell) -> str:
    return cell.path.partition("/")[0]


def _below(graph: Graph, name: str) -> set[str]:
    """The nodes that follow this one, directly or not."""
    found = {name}
    for node in graph.nodes:
        above = {param.source for param in node.params} | set(node.after) | set(node.when.split()[:1])
        if above & found:
            found.add(node.id)
    return found - {name}
