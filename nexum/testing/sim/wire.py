"""The store as one process sees it: each verb is a call that takes time, and that may go wrong in every way.

A verb is executed in one instant of virtual time, as a transaction is. Before it the process gives way; what it does after
it until its next call happens in its memory only, so one point to give way at is enough for every interleaving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from nexum.errors import UnavailableError
from nexum.store.api import Advance, Claimed, Drain, Record, Store
from nexum.store.memory import MemoryStore
from nexum.store.memory.draining import HeldRun
from nexum.store.memory.table import Table
from nexum.testing.sim.faults import Fate, Faults
from nexum.testing.sim.machine import SECOND, Exit, Fiber, Machine, Process

BUSY = "NX-S104"
LOCK_TIMEOUT = SECOND // 4  # after which the database refuses to wait for a row
LOCK_LOOK = 5_000  # us between two looks whether a row is free
LATEST = 4 * SECOND  # of a late answer
VERBS = tuple(name for name in vars(Store) if not name.startswith("_") and name not in ("dialect", "close", "drain"))
HELD_VERBS = tuple(name for name in vars(Drain) if not name.startswith("_") and name != "head")

Told = Callable[[Record], None]  # hears what an attempt has reported, once the database has it
Harm = Callable[[Process, Fate], None]  # does to a process, or to its whole host, what a fate says


class Wire:
    """One process's way to the store; `calls` counts what it has asked."""

    dialect = "memory"

    def __init__(
        self, machine: Machine, process: Process, store: MemoryStore, faults: Faults, harm: Harm, told: Told
    ) -> None:
        self._machine = machine
        self._process = process
        self._store = store
        self._faults = faults
        self._harm = harm
        self._told = told
        self.calls = 0

    @property
    def as_store(self) -> Store:
        """This wire as what the engine asks for; its verbs are made from the names in the protocol."""
        return cast("Store", self)

    def close(self) -> None:
        """The database notices by itself."""

    @contextmanager
    def drain(self, run_id: str, *, wait: bool) -> Iterator[HeldWire | None]:
        """Hold one run; see `api.Store.drain`. The commit is a call like any other."""
        fate = self.before("drain", run_id)
        transaction, held = self._open(run_id, wait)
        if held is None:
            self.after(fate)
            yield None
            return
        mine = HeldWire(self, held, self._machine.current)
        self._process.drains.add(mine)
        self._process.touch()
        try:
            self.after(fate)
            yield mine
            fate = self.before("commit", run_id)
            mine.check()
        except BaseException as error:
            transaction.__exit__(type(error), error, error.__traceback__)
            raise
        else:
            self._process.drains.discard(mine)
            self._machine.call = ("commit", (run_id,))
            transaction.__exit__(None, None, None)
            self.after(fate)
        finally:
            self._process.drains.discard(mine)

    def call(self, name: str, act: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Execute a verb, waiting for rows that others hold."""
        fate = self.before(name, args)
        waited = 0
        while True:
            self._machine.call = (name, args)
            try:
                answer = act(*args, **kwargs)
                break
            except UnavailableError as error:
                if error.code != BUSY or waited >= LOCK_TIMEOUT:
                    raise
            waited += LOCK_LOOK
            self._machine.sleep(LOCK_LOOK)
        if name in ("step", "record"):
            self._told(args[0])
        self.after(fate)
        if name in _CLAIMS:
            self._hold(_CLAIMS[name](args, answer))
        return answer

    def before(self, name: str, more: object) -> Fate:
        """Give way; then perhaps the process is killed, or the call fails."""
        self._process.check()
        self.calls += 1
        fate = self._faults.fate()
        if fate is Fate.STOPPED:
            self._harm(self._process, fate)
        self._machine.trip()
        self._machine.note(name if fate is Fate.PROCEED else f"{name} ({fate})", more)
        if fate is Fate.KILLED_BEFORE:
            self._harm(self._process, fate)
            raise Exit
        if fate is Fate.REFUSED:
            raise UnavailableError("the connection broke before the database heard", code="NX-S102")
        return fate

    def after(self, fate: Fate) -> None:
        """The call was executed; perhaps nobody hears of it."""
        if fate is Fate.KILLED_AFTER:
            self._harm(self._process, fate)
            raise Exit
        if fate is Fate.UNANSWERED:
            raise UnavailableError("the connection broke before the answer came", code="NX-S102")
        if fate is Fate.LATE:
            self._machine.sleep(int(LATEST * self._machine.rng.random()))

    def _open(self, run_id: str, wait: bool) -> tuple[Any, HeldRun | None]:
        waited = 0
        while True:
            transaction = self._store.drain(run_id, wait=wait)
            try:
                return transaction, transaction.__enter__()
            except UnavailableError:
                if waited >= LOCK_TIMEOUT:
                    raise
            waited += LOCK_LOOK
            self._machine.sleep(LOCK_LOOK)

    def _hold(self, claims: Sequence[tuple[object, str]]) -> None:
        """Remember what this process may execute from now on."""
        for task, key in claims:
            self._process.holding.setdefault(task, (key or self._effect_of(task), self._machine.current))

    def _effect_of(self, task: object) -> str:
        row = self._store.tables.tasks.rows.get(task)
        return row.effect_key if row is not None else ""


class HeldWire:
    """An open transaction as its process sees it: after one failure it is over."""

    def __init__(self, wire: Wire, held: HeldRun, holder: Fiber | None) -> None:
        self.holder = holder
        self._wire = wire
        self._held = held
        self.is_broken = False

    @property
    def head(self) -> Any:
        """Where the run stands."""
        return self._held.head

    def check(self) -> None:
        """Raise `UnavailableError` NX-S102 when the transaction is over."""
        if self.is_broken:
            raise UnavailableError("the database has ended this transaction", code="NX-S102")

    def end(self) -> None:
        """The database ends it, because its client says nothing."""
        self.is_broken = True
        self._held.abort()

    def write(self, table: Table[Any], row: Any) -> None:
        """Add a row of somebody else's table: one more round trip."""
        self.check()
        try:
            fate = self._wire.before("held.write", row)
            self.check()
            with self._held._trip() as tx:
                tx.insert(table, row)
            self._wire.after(fate)
        except BaseException:
            self.is_broken = True
            raise

    def trip(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """One round trip of the transaction."""
        self.check()
        try:
            fate = self._wire.before(f"held.{name}", args)
            self.check()
            answer = getattr(self._held, name)(*args, **options)
            self._wire.after(fate)
        except BaseException:
            self.is_broken = True
            raise
        return answer


def _verb(name: str) -> Callable[..., Any]:
    def call(self: Wire, *args: Any, **kwargs: Any) -> Any:
        return self.call(name, getattr(self._store, name), args, kwargs)

    return call


def _held_verb(name: str) -> Callable[..., Any]:
    def call(self: HeldWire, *args: Any, **options: Any) -> Any:
        return self.trip(name, args, options)

    return call


def _claimed(args: tuple[Any, ...], answer: Sequence[Claimed]) -> list[tuple[object, str]]:
    return [(claimed.key, "") for claimed in answer]


def _claimed_one(args: tuple[Any, ...], answer: Claimed | None) -> list[tuple[object, str]]:
    return [(answer.key, "")] if answer is not None else []


def _stepped(args: tuple[Any, ...], answer: Any) -> list[tuple[object, str]]:
    advance: Advance = args[1]
    if not answer.claimed or advance.claim < 0:
        return []
    task = advance.new_tasks[advance.claim]
    return [(task.key, task.effect.key if task.effect is not None else "")]


_CLAIMS = {"claim": _claimed, "claim_one": _claimed_one, "adopt": _claimed, "step": _stepped}

for _name in VERBS:
    setattr(Wire, _name, _verb(_name))
for _name in HELD_VERBS:
    setattr(HeldWire, _name, _held_verb(_name))
