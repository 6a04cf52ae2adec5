"""One seed from end to end: the world is made, plays, heals, and is judged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

from nexum.broker.doorbell import Doorbell
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell
from nexum.core.run.places import call_name, parent_of
from nexum.core.run.state import State
from nexum.store.api import VersionRow
from nexum.store.memory import MemoryStore
from nexum.testing.sim.broker import Bell, Broker, Listener
from nexum.testing.sim.calls import Calling
from nexum.testing.sim.clients import Promise, Web
from nexum.testing.sim.clocks import EPOCH, DatabaseClock, virtual
from nexum.testing.sim.ending import judge, unfinished
from nexum.testing.sim.faults import Fate, Faults
from nexum.testing.sim.handlers import Handlers
from nexum.testing.sim.machine import SECOND, Exit, Machine, Process, StuckError
from nexum.testing.sim.monitor import TOLD_AFTER, Monitor, Violation
from nexum.testing.sim.people import Person, for_people
from nexum.testing.sim.provider import Provider
from nexum.testing.sim.schedulers import SchedulerProcess
from nexum.testing.sim.transactions import Shop
from nexum.testing.sim.wire import Wire
from nexum.testing.sim.workers import Host
from nexum.testing.sim.workflows import TOOLS, workflow

SAFETY = 120 * SECOND  # the longest first part
LIVENESS = 900 * SECOND  # within which everything must come to an end after the healing


class Played(NamedTuple):
    """What became of a seed. `digest` is that of its trace; `faults` counts what went wrong by name."""

    seed: int
    violations: tuple[Violation, ...]
    steps: int
    virtual: int
    seconds: float
    digest: int
    runs: int
    acts: int
    faults: dict[str, int]
    trace: tuple[tuple[int, str, str, object], ...]


class World:
    """All processes of one installation."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 (reproducible on purpose)
        self.machine = Machine(rng)
        self.faults = Faults(rng, calm=rng.random() < 0.2)
        self._steps_clock = (
            not self.faults.calm or rng.random() < 0.5
        )  # a calm world's clock may be stepped all the same
        self.graphs = [workflow(rng, f"W{number}") for number in range(rng.choice([1, 1, 2]))]
        nodes = [node for graph in self.graphs for node in graph.nodes]
        self._asks = any(isinstance(node, Effect) and node.reconcile is not None for node in nodes)
        self.lease = rng.choice([3, 6, 15]) * SECOND
        self.inline_max = rng.choice([8_192, 8_192, 0])
        self.has_broker = rng.random() < 0.7
        self.net = rng.choice([2, 2, 30]) * SECOND
        self.only_told = self.has_broker and rng.random() < 0.25  # nobody looks for work: what is told must be enough
        self.engine_options: dict[str, Any] = {
            "inline_max": self.inline_max,
            "snapshot_every": rng.choice([100, 100, 7, 2]),
            "always_drain": rng.random() < 0.1,
        }
        self.sweeper_options: dict[str, Any] = {"poison_after": rng.choice([3, 5, 50])}
        self.monitor = Monitor(self.machine, self.graphs, self._is_well)
        self._clock = DatabaseClock(self.machine)
        self.store = MemoryStore(self._clock, recent=rng.choice([4, 4, 0, 1]), watch=self.monitor.committed)
        self.monitor.watch(self.store)
        self.broker = Broker(self.machine, self.faults)
        self.provider = Provider(self.machine, self.faults, TOOLS, self.monitor.acted)
        calling = Calling(self.machine, self.faults, self.provider, TOOLS, self.monitor, self._harm_me)
        self.handlers = Handlers(self.machine, self.faults, self.provider, calling, self._harm_me)
        self.shop = Shop()
        self.promises: list[Promise] = []
        self.hosts: list[Host] = []
        self.others: list[Any] = []
        self.to_start = 0
        self._processes: list[Process] = []
        self._healing = False
        self._healed_at = 0
        self._people = rng.random() < 0.85

    # what actors ask for

    def process(self, name: str, host: Host | None = None) -> Process:
        """A new process with clocks of its own."""
        rng = self.machine.rng
        process = Process(self.machine, name, skew=rng.randrange(10**12), rate=rng.uniform(0.999, 1.001))
        self._processes.append(process)
        return process

    def wire(self, process: Process) -> Wire:
        """A process's way to the store."""
        return Wire(self.machine, process, self.store, self.faults, self.harm, self.monitor.reported)

    def bell(self, process: Process) -> Doorbell:
        """A process's doorbell."""
        return Bell(self.broker if self.has_broker else None, process, self.monitor)

    def listen(self, listener: Listener) -> None:
        """A worker process waits for messages."""
        self.broker.listen(listener)

    def leave(self, listener: Listener) -> None:
        """It does not any more."""
        self.broker.leave(listener)

    def surprised(self, error: Exception) -> None:
        """An exception reached somebody whom none should reach."""
        where, trace = "", error.__traceback__
        while trace is not None:
            where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
            trace = trace.tb_next
        self.monitor.say("E0", f"{type(error).__name__} at {where}: {error}")

    def doubts(self) -> Iterator[tuple[State, Cell]]:
        """The cells that wait for people."""
        for run in list(self.monitor.runs.values()):
            for cell in for_people(run.state):
                yield run.state, cell

    def may_still_act(self, state: State, cell: Cell) -> bool:
        """Whether a request under the key of a cell is under way, or a process may yet send one."""
        key, node = state.cells[cell].key, parent_of(cell)
        keys = {key, state.cells[node].key} if node is not None and call_name(cell) else {key}
        if self.provider.flying[state.tenant, key] > 0:
            return True
        return any(held in keys for p in self._processes if not p.is_dead for held, _ in p.holding.values())

    def _is_well(self, session: str) -> bool:
        """Whether the process of a session lives and was never kept from beating."""
        found = [p for p in self._processes if p.name == session.partition("/")[0]]
        return self.faults.calm and bool(found) and not found[0].is_dead

    # harm and healing

    def harm(self, process: Process, fate: Fate) -> None:
        """Kill or stop a process, or the whole machine that it runs on."""
        rng = self.machine.rng
        host = next((host for host in self.hosts if process in host.processes), None)
        often = 0.5 if fate is Fate.STOPPED else 0.25  # one alone that stands still is beaten for by its parent
        whole = host is not None and (process is host.parent or rng.random() < often)
        for each in host.processes if host is not None and whole else [process]:
            if fate is Fate.STOPPED:
                each.stop(int(self.lease * rng.choice([0.3, 1.5, 3]) * (0.5 + rng.random())))
            else:
                each.kill(linger=rng.choice([0, 0, 4 * SECOND]) if whole else 0)
        if fate is not Fate.STOPPED:
            self._restart(process, host if whole else None)

    def _harm_me(self, fate: Fate) -> None:
        """The running process does something that kills it, or comes to a stop where it is."""
        assert self.machine.current is not None
        self.harm(self.machine.current.process, fate)
        if fate is not Fate.STOPPED:
            raise Exit

    def _restart(self, process: Process, host: Host | None) -> None:
        """Somebody looks after processes: a dead one is started again, by its parent or by whoever runs the machine."""
        delay = int(10 * SECOND * self.machine.rng.random()) if not self._healing else 0
        if host is not None:
            if host.child is not None:
                self.broker.leave(host.child)
            self.hosts.remove(host)
            number = int(host.name.rpartition("-")[2]) + 1
            name = f"{host.name.rpartition('-')[0]}-{number}"
            self.machine.after(delay, lambda: self._host(name, host.queues, host.slots))
            return
        for other in self.others:
            if other.process is process:
                self.others.remove(other)
                self.machine.after(delay, partial(self._again, other))
                return

    def _again(self, other: Any) -> None:
        if isinstance(other, SchedulerProcess):
            self.others.append(SchedulerProcess(self, f"{other.process.name}'"))
        elif isinstance(other, Person):
            self.others.append(Person(self, f"{other.process.name}'"))
        elif other.left:
            self.others.append(Web(self, f"{other.process.name}'", other.left))

    def _host(self, name: str, queues: tuple[str, ...], slots: int) -> None:
        self.hosts.append(Host(self, name, queues, slots))

    def _overlooked(self) -> None:
        """After the healing, nobody forgets to tell of a task that has been READY for long."""
        now = self._clock()
        for task in self.store.tables.tasks.rows.values():
            since = self.monitor.ready_since.get(task.key, 0)
            due = max(since, task.not_before, task.told_at) + (TOLD_AFTER << min(task.told_count, 6))
            if task.state == "READY" and now - due > 10 * SECOND and now - self._healed_at > 30 * SECOND:
                self.monitor.say("I24", f"nobody was told of {task.key}, which is READY")
        self.machine.after(10 * SECOND, self._overlooked)

    def _trouble(self) -> None:
        """What goes wrong by itself: the broker forgets, the database's clock is stepped."""
        rng, faults = self.machine.rng, self.faults
        if faults.strikes("broker flushed", 0.2):
            self.broker.flush()
        if faults.strikes("database clock stepped", 0.05) or (faults.calm and rng.random() < 0.1):
            far = (-20, -1, 1) if self._asks else (-20, -1, 1, 20, 60)  # a step forward shortens every settle time
            self._clock.offset += int(rng.choice(far) * SECOND * rng.random())
            self.machine.note("clock stepped", self._clock.offset)
        if not self._healing:
            self.machine.after(int(5 * SECOND * rng.random()), self._trouble)

    def heal(self) -> None:
        """Nothing fails any more; who stands still goes on."""
        self.machine.note("heal")
        self.faults.on = False
        self._healing = True
        self._healed_at = self._clock()
        for process in self._processes:
            process.go_on()

    # playing

    def populate(self) -> None:
        """Register the versions and start everybody."""
        rng = self.machine.rng
        for graph in self.graphs:
            row = VersionRow(graph.workflow, graph.version, "default", graph.data, "", "", "sim", 0)
            self.store.register(row, make_default=True)
        queues = tuple(graph.queue for graph in self.graphs)
        for number in range(rng.choice([1, 2, 2, 3])):
            served = queues if number == 0 or rng.random() < 0.7 else (rng.choice(queues),)
            self._host(f"host{number}-1", served, rng.choice([1, 1, 2]))
        self.others += [SchedulerProcess(self, f"scheduler{n}") for n in range(rng.choice([1, 2, 2]))]
        for number in range(rng.choice([1, 1, 2])):
            count = rng.choice([1, 1, 2, 3])
            self.to_start += count
            self.others.append(Web(self, f"web{number}", count))
        if self._people:
            self.others += [Person(self, f"person{n}") for n in range(rng.choice([1, 1, 2]))]
        if self._steps_clock:
            self.machine.after(SECOND, self._trouble)

    def play(self) -> None:
        """Safety, heal, liveness."""
        rng = self.machine.rng
        if self.machine.run(int(SAFETY * rng.choice([0.1, 0.3, 1]) * (0.2 + rng.random())), self._is_violated):
            return
        self.heal()
        self.machine.after(SECOND, self._overlooked)
        self.machine.run(self.machine.now + LIVENESS, self._is_over)
        judge(self)

    def _is_violated(self) -> bool:
        return bool(self.monitor.violations)

    def _is_over(self) -> bool:
        return self._is_violated() or (self.machine.steps % 16 == 0 and not unfinished(self))

    @property
    def is_busy(self) -> bool:
        """Whether somebody may still act on the provider, or a request is on its way."""
        return any(p.holding for p in self._processes if not p.is_dead) or any(self.provider.flying.values())

    @property
    def people(self) -> bool:
        """Whether somebody resolves doubts."""
        return self._people


def play(seed: int) -> Played:
    """Play one seed."""
    began = perf_counter()
    world = World(seed)
    machine = world.machine
    with virtual(machine):
        try:
            world.populate()
            world.play()
        except StuckError as error:
            world.monitor.say("I23", str(error))
        except Exception as error:  # noqa: BLE001 (whatever reaches a client or a person that they cannot expect)
            world.surprised(error)
        finally:
            machine.close()
    return Played(
        seed,
        tuple(world.monitor.violations),
        machine.steps,
        machine.now,
        perf_counter() - began,
        machine.digest,
        len(world.monitor.runs),
        len(world.provider.acts),
        dict(world.faults.counts),
        tuple(machine.trace),
    )


def play_lot(seeds: Sequence[int]) -> list[Played]:
    """Play some seeds, for another process: the traces of those that hold are left out, unless it is a single one."""
    return [_light(play(seed), whole=len(seeds) == 1) for seed in seeds]


def _light(played: Played, *, whole: bool) -> Played:
    trace = played.trace if played.violations or whole else ()
    return played._replace(trace=tuple((at, name, what, str(more)) for at, name, what, more in trace))


__all__ = ["EPOCH", "Graph", "Played", "World", "play", "play_lot"]
