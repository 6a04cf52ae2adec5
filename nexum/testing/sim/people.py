"""People: they resolve doubts by the provider's ledger, decide about what is parked, and meddle with what goes on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nexum.client import interventions
from nexum.client.asking import ask_provider
from nexum.client.breakers import override
from nexum.client.doubts import NOTHING, Decision, resolve
from nexum.client.interventions import By, Done, fail, retry, skip
from nexum.core.run.events import Cell
from nexum.core.run.places import call_name
from nexum.core.run.state import CellStatus, Phase, State
from nexum.errors import ConflictError, UnavailableError
from nexum.testing.sim.breakers import POLICY
from nexum.testing.sim.clients import TENANTS, Promise
from nexum.testing.sim.machine import SECOND
from nexum.testing.sim.provider import Act

if TYPE_CHECKING:
    from nexum.testing.sim.world import World

REFUSED = (UnavailableError, ConflictError)  # what a person has to expect


class Person:
    """Resolves doubts: after whoever may still send is gone, and his requests have settled."""

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
            if self._world.faults.strikes("person meddles", 0.5):
                self._meddle()
            if self._world.faults.strikes("breaker forced", 0.2):
                self._force()

    def _decide(self, state: State, cell: Cell) -> None:
        at = state.cells[cell]
        if at.status is CellStatus.PARKED:
            self._intervene(state, cell, "retry skip fail")
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
        except REFUSED:
            return
        self._promised(state.run_id, done.seq, "DoubtResolved")

    def _force(self) -> None:
        """Hold a breaker open or closed for a while, or leave it to itself again."""
        rng = self._machine.rng
        act = rng.choice(["open", "close", "auto"])
        self._machine.note(act, POLICY.name)
        who = {"actor": self.process.name, "reason": "I looked into it", "tenant": rng.choice(TENANTS)}
        with suppress(UnavailableError):
            override(self._store, POLICY.name, act, seconds=1 + 20 * rng.random(), **who)

    def _meddle(self) -> None:
        """Ask something of any cell of any open run, whatever it is about."""
        rng = self._machine.rng
        going = [run.state for run in self._world.monitor.runs.values() if not run.state.phase.is_ended]
        if going:
            state = rng.choice(going)
            cells = sorted(state.cells.keys())
            if cells:
                self._intervene(state, rng.choice(cells), rng.choice(["retry", "skip", "fail", "ask"]))

    def _intervene(self, state: State, cell: Cell, choice: str) -> None:
        by, what = By(self.process.name, "I looked into it"), self._machine.rng.choice(choice.split())
        if what == "ask" and state.cells[cell].kind != "effect":
            return
        self._machine.note(what, cell)
        try:
            if what == "ask":
                ask_provider(self._store, state.run_id, cell, actor=by.actor, reason=by.reason, doorbell=self._bell)
                return
            done = self._act(state, cell, what, by)
        except REFUSED:
            return
        self._promised(state.run_id, done.seq, "RetryRequested SkipRequested FailRequested")

    def _act(self, state: State, cell: Cell, what: str, by: By) -> Done:
        named = (self._store, state.run_id, cell, by)
        if what == "skip":
            value = self._machine.rng.choice([interventions.NOTHING, 1, 50])
            return skip(*named, value=value, doorbell=self._bell, inline_max=self._world.inline_max)
        return (retry if what == "retry" else fail)(*named, doorbell=self._bell)

    def _promised(self, run_id: str, seq: int, given: str) -> None:
        if seq:
            self._world.promises.append(Promise("recorded", run_id, "", "", str(seq), given))


def _response(cell: Cell, act: Act) -> object:
    return {"ref": act.reference} if call_name(cell) else 7


def for_people(state: State) -> list[Cell]:
    """The cells of an open run that wait for a person: in doubt, or parked."""
    if state.phase.is_ended or state.phase is Phase.NEW:
        return []
    return [cell for cell in sorted(state.open) if state.cells[cell].status in (CellStatus.IN_DOUBT, CellStatus.PARKED)]
