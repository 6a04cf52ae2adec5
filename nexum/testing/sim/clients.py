"""Who asks from outside: web processes that start, cancel and terminate runs.

What was acknowledged is written down; at the end the world is asked whether it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nexum.client.interventions import By, cancel, terminate
from nexum.client.start import StartRequest, start
from nexum.errors import ConflictError, UnavailableError
from nexum.testing.sim.machine import SECOND
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
