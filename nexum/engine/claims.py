"""What the core cannot know: whether somebody is executing a task. The task's row tells, by compare-and-set.

A person's word about an effect and a worker's claim race. Who takes the READY row out of the queue first is right: the
word, and nobody will ever execute this attempt; or the worker, and the word came too late. A READY row may also stand for an
attempt that was begun: its process died, and the same key may be sent again. Such an effect may have acted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nexum.core.run.events import (
    AttemptStopped,
    Body,
    Cell,
    EffectInDoubt,
    FailRequested,
    Ignored,
    RunTerminated,
    SkipRequested,
)
from nexum.core.run.plan import Plan
from nexum.core.run.requesting import Request, misfit
from nexum.core.run.rows import has_task
from nexum.core.run.state import CellState, State
from nexum.engine.changes import task_key
from nexum.engine.quiet import quiet_at_last
from nexum.store.api import Drain, OpenCall, TaskKey

Calls = Callable[[TaskKey], Sequence[OpenCall]]  # those of a node whose outcome nobody knows; most nodes make none


def seen_by_claims(held: Drain, state: State, message: Body, now: int, calls: Calls) -> Body:
    """The message as it is once the tasks that it speaks of have been looked at; most messages speak of none."""
    if isinstance(message, RunTerminated):
        return replace(message, in_flight=_in_flight(held, state, calls))
    if isinstance(message, Request) and not misfit(state, message, max(now, state.now)):
        return _unclaimed(held, state, message, calls)
    return message


def _in_flight(held: Drain, state: State, calls: Calls) -> tuple[Cell, ...]:
    """The effects that somebody is executing, or that left a call behind; the others lose their tasks here."""
    tasks = {task_key(state.run_id, cell, at): cell for cell, at in _effects(state)}
    waiting = held.cancel_ready(list(tasks), untried=True)
    return tuple(cell for key, cell in tasks.items() if key not in waiting or calls(key))


def stopped(held: Drain, plan: Plan, state: State, cells: Sequence[Cell], now: int) -> list[tuple[TaskKey, Body]]:
    """What is known at once about attempts that were just asked to stop: whose task nobody holds answers here.

    One that nobody ever began is stopped. One that a dead process has given back may have acted: it is in doubt.
    """
    tasks = {task_key(state.run_id, cell, state.cells[cell]): cell for cell in cells}
    never = held.cancel_ready(list(tasks), untried=True)
    again = held.cancel_ready([key for key in tasks if key not in never])
    return [(key, _end(plan, tasks[key], key, now, begun=key in again)) for key in tasks if key in never | again]


def _end(plan: Plan, cell: Cell, key: TaskKey, now: int, *, begun: bool) -> Body:
    if not begun:
        return AttemptStopped(cell, key.attempt, claimed=False)
    evidence = "a process that died was executing it, and nobody has said how that ended"
    quiet = quiet_at_last(now, plan.node_at(cell.path).timeouts.start_to_close)
    return EffectInDoubt(cell, key.attempt, evidence, "expired", quiet)


def _effects(state: State) -> list[tuple[Cell, CellState]]:
    found = [(cell, state.cells[cell]) for cell in sorted(state.open)]
    return [(cell, at) for cell, at in found if at.kind == "effect" and has_task(at)]


def _unclaimed(held: Drain, state: State, request: Request, calls: Calls) -> Body:
    at = state.cells[request.cell]
    # A request to let an effect fail stops it first, which looks at its task by itself.
    if at.kind != "effect" or not has_task(at) or isinstance(request, FailRequested):
        return request
    key = task_key(state.run_id, request.cell, at)
    if isinstance(request, SkipRequested) and calls(key):
        return Ignored(type(request).__name__, "a call of this effect may have been made")
    return (
        request
        if held.cancel_ready([key], untried=True)
        else Ignored(type(request).__name__, "an attempt has just begun")
    )
