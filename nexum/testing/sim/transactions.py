"""Transaction nodes: what the handler writes and the node's completion are one commit of the model store.

`nexum_workers.transacting` does the same with a real connection: it opens, calls the handler, asks the engine to complete the
node inside, commits, and finds out afterwards about a commit that was not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, cast

from nexum.core.graph.nodes import Transaction
from nexum.core.run.plan import Plan
from nexum.engine.engine import Engine
from nexum.engine.seal import unseal
from nexum.engine.work import Committed, Outcome, Succeeded, TakenBack, Unanswered, Work
from nexum.errors import UnavailableError
from nexum.store.api import Store
from nexum.store.memory.table import Table
from nexum.store.memory.transaction import Change
from nexum.testing.sim.wire import HeldWire, Wire
from nexum_workers.outcome import failure

SHOP = "shop_orders"


class Written(NamedTuple):
    """A row of the shop's own."""

    number: int
    run_id: str
    path: str
    attempt: int
    session: str
    token: int


class Shop:
    """The shop's table, in the same database as the engine's."""

    def __init__(self) -> None:
        self._orders: Table[Written] = Table(SHOP, Written._fields, ("number",))
        self._numbers = 0

    def transact(self, work: Work, engine: Engine, wire: Wire, value: bytes) -> Outcome:
        """Write, complete the node, commit."""
        sealed: Committed | None = None
        try:
            with ExitStack() as open_until_here:
                ended = engine.complete(self._inside(work, engine, wire, open_until_here), work, Succeeded(value))
                if isinstance(ended, TakenBack):
                    raise _TakenBackError
                sealed = ended
        except _TakenBackError:
            return TakenBack()
        except UnavailableError as error:
            failed = failure(error, work.node)
            return failed if sealed is None else Unanswered(failed)
        return sealed

    def _inside(self, work: Work, engine: Engine, wire: Wire, stack: ExitStack) -> Store:
        """The store as it is inside the transaction, which ends with `stack`."""

        def write(held: HeldWire) -> None:
            self._numbers += 1
            place = (work.task.run_id, work.task.path, work.attempt, engine.session, work.token)
            held.write(self._orders, Written(self._numbers, *place))

        return cast("Store", _Inside(wire, stack, write))


class _TakenBackError(Exception):
    """Leaves the transaction so that it is rolled back."""


class _Inside:
    """A store bound to an open transaction: what holds the run's row is not let go before the end."""

    def __init__(self, wire: Wire, stack: ExitStack, write: Callable[[HeldWire], None]) -> None:
        self._wire = wire
        self._stack = stack
        self._write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    @contextmanager
    def drain_within(self, run_id: str) -> Iterator[HeldWire | None]:
        """Hold the run until the transaction ends, and write what the handler would have written before."""
        held = self._stack.enter_context(self._wire.drain(run_id, wait=True))
        if held is not None:
            self._write(held)
        yield held


def judge(changes: Sequence[Change], plan_of: Callable[[str], Plan], say: Callable[[str, str], None]) -> None:
    """Compare what a commit wrote into the shop's table with the transaction nodes that it completed."""
    written = [change.after for change in changes if change.table.name == SHOP]
    tasks = [change.before for change in changes if change.table.name == "nexum_tasks" and change.before is not None]
    ended = []
    for change in changes:
        if change.table.name == "nexum_events" and change.after is not None:
            run_id, fact = change.after.run_id, change.after.fact
            completed = fact.type == "NodeCompleted" and isinstance(plan_of(run_id).node_at(fact.path), Transaction)
            if completed and getattr(unseal(fact).body, "by", "") == "attempt":
                ended.append((run_id, fact.path, fact.attempt))
    if sorted(ended) != sorted(row[1:4] for row in written):
        say("T1", f"a commit has written {written} and completed {ended}")
    for row in written:
        task = next((task for task in tasks if (task.run_id, task.path) == (row.run_id, row.path)), None)
        if task is None or (task.state, task.session, task.token) != ("CLAIMED", row.session, row.token):
            say("T1", f"{row} was written by somebody who does not hold {task}")
