"""What handlers do in a world: sums, questions, answers of models, and effects on the provider; and how they fail."""

from __future__ import annotations

from collections.abc import Callable

from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.graph.nodes import Effect, Llm, Transaction
from nexum.core.run.events import Error
from nexum.engine.calls import Journal
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.testing.sim.calls import Calling
from nexum.testing.sim.faults import Fate, Faults
from nexum.testing.sim.machine import SECOND, Machine
from nexum.testing.sim.provider import Provider, Request
from nexum_workers.outcome import overtime

FAILED = "NX-R200"


class Handlers:
    """Executes work in the fiber that calls; `kill` does to its process what a fate says."""

    def __init__(
        self, machine: Machine, faults: Faults, provider: Provider, calling: Calling, kill: Callable[[Fate], None]
    ) -> None:
        self._lethal: dict[tuple[str, str], bool] = {}
        self._kill = kill
        self._calling = calling
        self._machine = machine
        self._faults = faults
        self._provider = provider

    def execute(self, work: Work, journal: Callable[[], Journal], transact: Callable[[bytes], Outcome]) -> Outcome:
        """The outcome of one attempt; takes its time.

        `journal` is asked for by a handler that makes calls, `transact` with a value by one that writes in a transaction.
        """
        began = self._machine.now
        self._machine.note("execute", work.task)
        if "/reconcile" in work.cell.path:
            return self._ask(work)
        if isinstance(work.node, Effect) and not work.node.io:
            return self._effect(work)
        self._think()
        if self._is_lethal(work):
            self._kill(Fate.KILLED_BEFORE)
        if self._faults.strikes("handler failed", 0.2):
            return self._failed(work)
        if isinstance(work.node, Transaction):
            late = work.max_run and self._machine.now - began > work.max_run  # the watchdog has closed its connection
            return overtime(work.node, work.max_run) if late else transact(value_of(work))
        if isinstance(work.node, Effect):
            return self._calling.execute(work, journal(), value_of(work))
        if isinstance(work.node, Llm) and self._faults.strikes("answer invalid", 0.3):
            error = Error("NX-L210", "the answer does not fit", type="InvalidAnswer")
            return Failed(error, repairable=True, raw=b'"nonsense"')
        return Succeeded(value_of(work))

    def _is_lethal(self, work: Work) -> bool:
        """Whether this node of this run always kills its process, now and after the healing, as one that eats all memory."""
        name = (work.task.run_id, work.task.path)
        if name not in self._lethal:
            self._lethal[name] = self._faults.strikes("lethal node", 0.05)
        return self._lethal[name]

    def _ask(self, work: Work) -> Outcome:
        if self._faults.strikes("handler failed", 0.2):
            return self._failed(work)
        answer = self._provider.ask(work.tenant, work.key)
        if answer.word == "unknown":
            return Succeeded(b'"the list cannot be read"', answer="cannot_tell")
        if answer.word == "nothing" or answer.act is None:
            return Succeeded(b"null", answer="not_found")
        return Succeeded(value_of(work), reference=answer.act.reference, answer="found")

    def _effect(self, work: Work) -> Outcome:
        began = self._machine.now
        if self._faults.strikes("handler failed", 0.2):  # before it sent anything, and says so
            return self._failed(work)
        self._think()
        if work.max_run and self._machine.now - began > work.max_run:
            return overtime(work.node, work.max_run)  # the watchdog was faster, and this process is about to end
        task = work.task
        place = f"{task.run_id}/{task.path}#{task.attempt}@{work.token}"
        assert isinstance(work.node, Effect)
        answer = self._provider.send(Request(work.node.tool, work.tenant, work.key, work.input_hash, place))
        if answer.act is not None:
            return Succeeded(value_of(work), reference=answer.act.reference)
        sent = "unknown" if answer.word == "unknown" else "no"
        return Failed(Error(FAILED, f"the provider: {answer.word}", retryable=answer.retryable), sent=sent)

    def _failed(self, work: Work) -> Failed:
        rng = self._machine.rng
        after = rng.choice([0, 0, SECOND])
        return Failed(Error(FAILED, "the handler raised", retryable=rng.random() < 0.7), retry_after=after)

    def _think(self) -> None:
        """Mostly milliseconds; sometimes longer than a lease, which is nobody's business."""
        long = self._faults.strikes("handler slow", 0.2)
        self._machine.sleep(int((25 if long else 0.05) * SECOND * self._machine.rng.random()))


def value_of(work: Work) -> bytes:
    """What a node returns: the same for the same inputs, whoever executes it."""
    total = sum(map(ord, work.node.id.partition("/")[0])) % 7
    for _, data in work.inputs:
        value = from_bytes(data) if data is not None else 0
        total += value if isinstance(value, int) else sum(value.values()) if isinstance(value, dict) else 1
    return canonical_bytes(total % 100)
