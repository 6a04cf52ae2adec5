"""What the core cannot know: whether somebody is executing a task. The task's row tells, by compare-and-set.

A person's word about an effect and a worker's claim race. Who takes the READY row out of the queue first is right: the
word, and nobody will ever execute this attempt; or the worker, and the word came too late.
"""

from __future__ import annotations

from dataclasses import replace

from nexum.core.run.events import Body, Cell, FailRequested, Ignored, RunTerminated
from nexum.core.run.requesting import Request, misfit
from nexum.core.run.rows import has_task
from nexum.core.run.state import CellState, State
from nexum.engine.changes import task_key
from nexum.store.api import Drain


def seen_by_claims(held: Drain, state: State, message: Body, now: int) -> Body:
    """The message as it is once the tasks that it speaks of have been looked at; most messages speak of none."""
    if isinstance(message, RunTerminated):
        return replace(message, in_flight=_in_flight(held, state))
    if isinstance(message, Request) and not misfit(state, message, max(now, state.now)):
        return _unclaimed(held, state, message)
    return message


def _in_flight(held: Drain, state: State) -> tuple[Cell, ...]:
    """The effects that somebody is executing; the others lose their tasks here."""
    tasks = {task_key(state.run_id, cell, at): cell for cell, at in _effects(state)}
    waiting = held.cancel_ready(list(tasks))
    return tuple(cell for key, cell in tasks.items() if key not in waiting)


def _effects(state: State) -> list[tuple[Cell, CellState]]:
    found = [(cell, state.cells[cell]) for cell in sorted(state.open)]
    return [(cell, at) for cell, at in found if at.kind == "effect" and has_task(at)]


def _unclaimed(held: Drain, state: State, request: Request) -> Body:
    at = state.cells[request.cell]
    # A request to let an effect fail stops it first, which looks at its task by itself.
    if at.kind != "effect" or not has_task(at) or isinstance(request, FailRequested):
        return request
    key = task_key(state.run_id, request.cell, at)
    return request if held.cancel_ready([key]) else Ignored(type(request).__name__, "an attempt has just begun")
