"""Who asks from outside: web processes that start and cancel runs, and people who resolve doubts.

What was acknowledged is written down; at the end the world is asked whether it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nexum.client.doubts import NOTHING, Decision, resolve
from nexum.client.interventions import By, cancel, fail, retry, terminate
from nexum.client.start import StartRequest, start
from nexum.core.run.events import Cell
from nexum.core.run.places import call_name
from nexum.core.run.state import CellStatus, Phase, State
from nexum.errors import ConflictError, UnavailableError
from nexum.testing.sim.machine import SECOND
from nexum.testing.sim.provider import Act
from nexum.testing.sim.workflows import INPUTS

if TYPE_CHECKING:
    from nexum.testing.sim.world import World

KEYS = ("", "", "a", "b")
TENANTS = ("default", "default", "other")


class Promise(NamedTuple):
    """Something that was acknowledged: a run was started under `key`, or an event of a `given` type has the number `key`."""

    what: str
    run_id: str
    tenant: str
    workflow: str
    key: str
    given: str


class Web:
    """A process that starts runs, and sometimes cancels one."""

    def __init__(self, world: World, name: str, starts: int) -> None:
        self._world = world
        self._machine = world.machine
        self.process = world.process(name)
        self._store = world.wire(self.process).as_store
        self._bell = world.bell(self.process)
        self.left = starts
        self._machine.spawn(self.process, self._run)

    def _run(self) -> None:
        rng, machine = self._machine.rng, self._machine
        while self.left:
            self.left -= 1
            self._world.to_start -= 1
            machine.sleep(int(rng.choice([0.01, 1, 10]) * SECOND * rng.random()))
            run_id = self._start()
            if run_id and self._world.faults.strikes("run cancelled", 0.5):
                machine.sleep(int(rng.choice([0.1, 5]) * SECOND * rng.random()))
                self._cancel(run_id)

    def _start(self) -> str:
        rng = self._machine.rng
        graph = rng.choice(self._world.graphs)
        given, key, tenant = rng.choice(INPUTS), rng.choice(KEYS), rng.choice(TENANTS)
        request = StartRequest(graph.workflow, given, run_key=key, tenant=tenant)
        for _ in range(5 if key else 1):
            try:
                started = start(self._store, request, doorbell=self._bell, inline_max=self._world.inline_max)
            except UnavailableError:
                self._machine.sleep(SECOND)
                continue
            except ConflictError:
                return ""
            promise = Promise("started", started.run_id, tenant, graph.workflow, key, repr(given))
            self._world.promises.append(promise)
            return started.run_id
        return ""

    def _cancel(self, run_id: str) -> None:
        rng = self._machine.rng
        by = By(self.process.name, "enough")
        self._machine.note("cancel", run_id)
        try:
            if rng.random() < 0.8:
                done = cancel(self._store, run_id, by, compensate=rng.random() < 0.7, doorbell=self._bell)
            else:
                done = terminate(self._store, run_id, by, doorbell=self._bell)
        except (UnavailableError, ConflictError):
            return
        if done.seq:
            self._world.promises.append(
                Promise("recorded", run_id, "", "", str(done.seq), "CancelRequested RunTerminated")
            )


class Person:
    """Resolves doubts by the provider's ledger: after whoever may still send is gone, and his requests have settled."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._machine = world.machine
        self.process = world.process(name)
        self._store = world.wire(self.process).as_store
        self._bell = world.bell(self.process)
        self._machine.spawn(self.process, self._run)

    def _run(self) -> None:
        rng = self._machine.rng
        while True:
            self._machine.sleep(int(rng.choice([3, 30]) * SECOND * (0.1 + rng.random())))
            for state, cell in self._world.doubts():
                self._decide(state, cell)

    def _decide(self, state: State, cell: Cell) -> None:
        at = state.cells[cell]
        if at.status is CellStatus.PARKED:
            self._intervene(state, cell)
            return
        if self._world.may_still_act(state, cell):
            return
        act = self._world.provider.done(state.tenant, at.key)
        rng = self._machine.rng
        outcome = "happened" if act is not None else rng.choice(["did_not_happen", "did_not_happen", "abandon"])
        decision = Decision(
            *(state.run_id, cell, outcome, self.process.name, "I asked the provider"),
            reference=act.reference if act is not None else "",
            response=_response(cell, act) if act is not None else NOTHING,
        )
        self._machine.note("resolve", (outcome, cell))
        try:
            done = resolve(self._store, decision, doorbell=self._bell)
        except (UnavailableError, ConflictError):
            return
        if done.seq:
            self._world.promises.append(Promise("recorded", state.run_id, "", "", str(done.seq), "DoubtResolved"))

    def _intervene(self, state: State, cell: Cell) -> None:
        by, rng = By(self.process.name, "I looked into it"), self._machine.rng
        self._machine.note("intervene", cell)
        try:
            (retry if rng.random() < 0.5 else fail)(self._store, state.run_id, cell, by, doorbell=self._bell)
        except (UnavailableError, ConflictError):
            return


def _response(cell: Cell, act: Act) -> object:
    return {"ref": act.reference} if call_name(cell) else 7


def for_people(state: State) -> list[Cell]:
    """The cells of an open run that wait for a person: in doubt, or parked."""
    if state.phase.is_ended or state.phase is Phase.NEW:
        return []
    return [cell for cell in sorted(state.open) if state.cells[cell].status in (CellStatus.IN_DOUBT, CellStatus.PARKED)]
