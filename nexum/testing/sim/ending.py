"""What must hold when everything has healed: nothing is left lying, and the ledger agrees with the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus, State
from nexum.engine.calls import READ
from nexum.engine.changes import cell_of_task
from nexum.testing.sim.journals import INSIDE
from nexum.testing.sim.people import for_people

if TYPE_CHECKING:
    from nexum.testing.sim.world import World


def unfinished(world: World) -> list[str]:
    """Runs that neither have ended nor stand in doubt where nobody resolves it; also work that is not done yet."""
    left = []
    if world.to_start:
        left.append(f"{world.to_start} runs to be started")
    for run in world.monitor.runs.values():
        state = run.state
        if state.phase.is_ended:
            continue
        waiting = {*for_people(state), *_wait_for_doubts(world, state)}
        if world.people or len(state.open) > len(waiting):
            left.append(f"run {state.run_id} is {state.phase}{' and suspended' if state.suspended else ''}")
    if world.store.tables.inbox.rows:
        left.append("mail")
    if any(task.state == "CLAIMED" for task in world.store.tables.tasks.rows.values()):
        left.append("tasks that are claimed")
    if world.is_busy:
        left.append("work under way")
    return left


def _wait_for_doubts(world: World, state: State) -> list[Cell]:
    """Cells whose business key is held by an effect in doubt, of this run or another one, or by one whose call is."""
    held = {name for name, effect in world.store.tables.effects.rows.items() if effect.state == "IN_DOUBT"}
    for run in world.monitor.runs.values():
        cells = [run.state.cells[cell] for cell in run.state.open]
        held |= {(run.state.tenant, at.key) for at in cells if at.status is CellStatus.IN_DOUBT}
    return [cell for cell in state.open if state.cells[cell].business and (state.tenant, state.cells[cell].key) in held]


def judge(world: World) -> None:
    """Say everything that does not hold at the end."""
    if world.monitor.violations:
        return
    say, tables = world.monitor.say, world.store.tables
    for what in unfinished(world):
        say("I23", f"after the healing there is still: {what}")
    for letter in tables.inbox.rows.values():
        say("I24", f"mail {letter.dedupe} of run {letter.run_id} lies in the inbox")
    for task in tables.tasks.rows.values():
        run = world.monitor.runs[task.run_id]
        waits = cell_of_task(task.key) in _wait_for_doubts(world, run.state)
        if task.state == "READY" and waits and not world.people:
            continue
        say("I24", f"task {task.key} is {task.state} by {task.session or 'nobody'}")
    _judge_effects(world)
    _judge_promises(world)


def _judge_effects(world: World) -> None:
    say, tables = world.monitor.say, world.store.tables
    evidence = {(row.tenant, row.key) for row in tables.effect_evidence.rows.values() if row.state == "APPLIED"}
    for act in world.provider.acts:
        name = (act.request.tenant, act.request.key)
        effect = tables.effects.rows.get(name)
        if effect is None:
            say("I7", f"act {act.number} by {act.request.place} has no effect")
        elif effect.state not in ("RECORDED", "APPLIED", "IN_DOUBT", "UNKNOWN") and name not in evidence:
            say("I7", f"act {act.number} by {act.request.place}: its effect is {effect.state}")
    acts = {(act.request.tenant, act.request.key) for act in world.provider.acts}
    for name, effect in tables.effects.rows.items():
        asked = INSIDE in effect.path and effect.policy == READ
        if effect.state in ("RECORDED", "APPLIED") and name not in acts and not asked:
            say("I7", f"effect {effect.key} of {effect.path} is {effect.state}, but nothing happened")


def _judge_promises(world: World) -> None:
    say, tables = world.monitor.say, world.store.tables
    keys: dict[tuple[str, str, str], tuple[str, str]] = {}
    for promise in world.promises:
        run_id = promise.run_id
        if promise.what == "started":
            if run_id not in tables.runs.rows:
                say("I11", f"run {run_id} was acknowledged and does not exist")
            name = (promise.tenant, promise.workflow, promise.key)
            if promise.key and keys.setdefault(name, (run_id, promise.given)) != (run_id, promise.given):
                say("I12", f"run key {name} named {keys[name]} and {(run_id, promise.given)}")
        else:
            event = tables.events.rows.get((run_id, int(promise.key)))
            if event is None or event.fact.type not in promise.given:
                say("I11", f"event {promise.key} of run {run_id} was acknowledged as {promise.given}, and is not")
