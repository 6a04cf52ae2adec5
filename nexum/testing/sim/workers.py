"""A worker host: a parent that tends its child's session, and a child that takes tasks, as `nexum_workers.child` does.

The child claims, begins, executes, finishes, and goes on with what the engine hands over; it adopts when it is idle and a
claim's answer may have been lost. The parent beats the session, proves the child's death, and starts another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nexum.broker.doorbell import Doorbell
from nexum.engine.engine import Engine
from nexum.engine.work import Committed, Outcome, Unanswered, Work
from nexum.errors import UnavailableError
from nexum.store.api import Claimed, SessionRow
from nexum.testing.sim.broker import Ring
from nexum.testing.sim.machine import SECOND, Exit, Fiber, Lock, Process
from nexum_workers.early import Early
from nexum_workers.outcome import overtime

if TYPE_CHECKING:
    from nexum.testing.sim.world import World

T = TypeVar("T")

LOOK = SECOND // 5  # between two looks of the parent at its child
ALONE = SECOND // 4  # between two looks for work without a broker
NET = 2 * SECOND  # beside one
STEPS = 4  # of one run before others get their turn


class Host:
    """A machine with one parent and one child at a time. `queues` are those of the versions that it has."""

    def __init__(self, world: World, name: str, queues: Sequence[str], slots: int) -> None:
        self._world = world
        self.name = name
        self.queues = tuple(queues)
        self.slots = slots
        self.parent = world.process(f"{name}.parent")
        self.child: Child | None = None
        self._number = 0
        self._beat_at = 0
        self._wire = world.wire(self.parent)
        self._store = self._wire.as_store
        world.machine.spawn(self.parent, self._tend)

    @property
    def processes(self) -> list[Process]:
        """Who dies with the machine."""
        return [self.parent, *([self.child.process] if self.child else [])]

    def _tend(self) -> None:
        machine = self._world.machine
        while True:
            if self.child is None:
                machine.sleep(int(SECOND * machine.rng.random()))
                self._number += 1
                self.child = Child(self, self._world, f"{self.name}.{self._number}")
            machine.sleep(LOOK)
            try:
                self._look(self.child)
            except UnavailableError:
                continue

    def _look(self, child: Child) -> None:
        machine = self._world.machine
        if child.process.is_dead:
            if child.has_opened:
                self._store.end_session(child.session, proof="" if child.left else "killed by signal 9")
            self.child = None
        elif child.is_open and machine.now - self._beat_at >= self._world.lease // 3:
            if child.session not in self._store.beat((child.session,)):
                child.lose()
            self._beat_at = machine.now


class Child:
    """A worker process with an engine of its own and one or more slots."""

    def __init__(self, host: Host, world: World, session: str) -> None:
        self._world = world
        self._machine = world.machine
        self.session = session
        self.queues = host.queues
        self.process = world.process(session, host)
        self.has_opened = False
        self.is_open = False
        self.left = False
        self._lost = False
        self._looked_for_lost = True
        self._executing: set[object] = set()
        self._rings: deque[Ring] = deque()
        self._idle: list[Fiber] = []
        self._busy = 0
        self._slots = host.slots
        self._claiming = Lock(self._machine)
        self._wire = world.wire(self.process)
        self._store = self._wire.as_store
        self._bell: Doorbell = world.bell(self.process)
        self._engine = Engine(self._store, session=session, doorbell=self._bell, **world.engine_options)
        self._engine._lock = Lock(self._machine)  # type: ignore[assignment]
        self._machine.spawn(self.process, self._open)

    def hear(self, ring: Ring) -> bool:
        """A message arrives; a slot that waits takes it."""
        if not self._wants_more or not self._idle:
            return False
        self._rings.append(ring)
        self._machine.wake(self._idle.pop())
        return True

    def lose(self) -> None:
        """The database holds this session for dead: finish what is under way, take nothing, and leave."""
        self._lost = True
        for fiber in self._idle:
            self._machine.wake(fiber)

    @property
    def _knows_all(self) -> bool:
        """Whether there can be no claim of this process that it does not know."""
        return self._looked_for_lost and not self._engine.may_have_lost

    @property
    def _wants_more(self) -> bool:
        return not self._lost and not self.process.is_dead

    def _open(self) -> None:
        row = SessionRow(
            *(self.session, "worker", self.session.partition(".")[0], 1, 1, self.queues, self._slots, 0, 0, 0, "LIVE"),
            self._world.lease,
        )
        self.has_opened = True
        self._patiently(lambda: self._store.open_session(row))
        self.is_open = True
        self._world.listen(self)
        for _ in range(self._slots - 1):
            self._machine.spawn(self.process, self._slot)
        self._slot()

    def _slot(self) -> None:
        """One slot's life."""
        while self._wants_more:
            ring = self._rings.popleft() if self._rings else None
            work, was_there = self._claim_and_begin(ring)
            if work is not None:
                self._busy += 1
                self._go_on(work)
                self._busy -= 1
            elif not was_there and not self._rings and self._wants_more:
                self._wait()
                while self._world.only_told and not self._rings and self._knows_all and self._wants_more:
                    self._wait()
        if not self._busy:
            self.left = True
            self._exit()

    def _wait(self) -> None:
        fiber = self._machine.current
        assert fiber is not None
        self._idle.append(fiber)
        self._machine.sleep(self._world.net if self._world.has_broker else ALONE)
        if fiber in self._idle:
            self._idle.remove(fiber)

    def _claim(self, ring: Ring | None) -> Claimed | None:
        if ring is not None:
            found = self._store.claim_one(self.session, ring[1])
            if found is not None:
                return found
        queues = (ring[0],) if ring is not None else self.queues
        return next(iter(self._store.claim(self.session, queues, 1)), None)

    def _claim_and_begin(self, ring: Ring | None) -> tuple[Work | None, bool]:
        with self._claiming:
            try:
                if not self._knows_all and (lost := self._adopt()) is not None:
                    return lost, True
                claimed = self._claim(ring)
                if claimed is None:
                    return None, False
                work = self._engine.begin(claimed)
                self.process.let_go(work and work.task)
                return work, True
            except UnavailableError:
                pass
            except Exception as error:  # noqa: BLE001 (no exception of the engine may reach a worker: it is a finding)
                self._world.surprised(error)
            self._looked_for_lost = False
            return None, False

    def _adopt(self) -> Work | None:
        found = self._engine.adopt()
        for work in found[1:]:
            self._engine.release(work)
        self.process.hold_only({work.task for work in found[:1]}, self._executing)
        self._looked_for_lost = len(found) < 2
        return found[0] if found else None

    def _go_on(self, work: Work | None) -> None:
        steps = 0
        while work is not None:
            began = self._machine.now
            self._executing.add(work.task)
            self._world.monitor.begins(self.process, work)
            early = Early(self._engine, work, inline_max=self._world.inline_max)
            outcome = self._world.handlers.execute(work, early.journal, partial(self._transact, work))
            sealed = isinstance(outcome, Committed | Unanswered)  # the watchdog cannot say otherwise any more
            late = bool(work.max_run) and self._machine.now - began > work.max_run and not sealed
            if late:  # the watchdog says what became of it, and ends the process
                outcome = overtime(work.node, work.max_run)
            other, steps = None, steps + 1
            if steps >= STEPS and self._wants_more and not late:
                other, _ = self._claim_and_begin(None)
                steps = 0
            keep = self._wants_more and other is None and not late
            following = self._finish(work, outcome, keep=keep)
            self._executing.discard(work.task)
            work = other or following
            self.process.let_go(work and work.task)
            if late:
                self._exit()

    def _transact(self, work: Work, value: bytes) -> Outcome:
        return self._world.shop.transact(work, self._engine, self._wire, value)

    def _finish(self, work: Work, outcome: Outcome, *, keep: bool) -> Work | None:
        try:
            return self._patiently(lambda: self._engine.finish(work, outcome, keep=keep))
        except Exception as error:  # noqa: BLE001 (as above)
            self._world.surprised(error)
            return None

    def _patiently(self, act: Callable[[], T]) -> T:
        pause = SECOND // 10
        while True:
            try:
                return act()
            except UnavailableError:
                self._machine.sleep(pause)
                pause = min(2 * pause, 2 * SECOND)

    def _exit(self) -> None:
        self._world.leave(self)
        self.process.kill()
        raise Exit
