"""What a process remembers about the runs it continues; never trusted, only tested by compare-and-set."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from nexum.core.canonical import from_bytes
from nexum.core.run.plan import Plan
from nexum.core.run.state import State

PAYLOAD_BUDGET = 1 << 20  # bytes of payloads kept per run
SNAPSHOT_EVERY = 100


@dataclass(slots=True)
class Known:
    """A run at a sequence number: its plan, folded state, last hash, and payloads that may be read again.

    `snapshot_every` is how many events lie between two snapshots of it at least.
    """

    plan: Plan
    state: State
    hash: bytes
    trace: str
    snapshot_seq: int = 0
    snapshot_every: int = SNAPSHOT_EVERY
    payloads: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    payload_bytes: int = 0

    def remember(self, digest: str, data: bytes) -> None:
        """Keep a payload; the oldest ones go when the budget is used up."""
        if digest in self.payloads or len(data) > PAYLOAD_BUDGET:
            return
        self.payloads[digest] = data
        self.payload_bytes += len(data)
        while self.payload_bytes > PAYLOAD_BUDGET:
            _, gone = self.payloads.popitem(last=False)
            self.payload_bytes -= len(gone)


class Memory:
    """Known runs, the least recently used forgotten first. `limit` counts runs."""

    def __init__(self, limit: int = 4_096) -> None:
        self._runs: OrderedDict[str, Known] = OrderedDict()
        self._limit = limit

    def get(self, run_id: str) -> Known | None:
        """What is known about a run."""
        known = self._runs.get(run_id)
        if known is not None:
            self._runs.move_to_end(run_id)
        return known

    def put(self, known: Known) -> None:
        """Remember a run."""
        self._runs[known.state.run_id] = known
        self._runs.move_to_end(known.state.run_id)
        while len(self._runs) > self._limit:
            self._runs.popitem(last=False)

    def forget(self, run_id: str) -> None:
        """Drop what may be stale."""
        self._runs.pop(run_id, None)


class Decoded(dict[str, object]):
    """Payloads as JSON values by hash, decoded when a condition first looks at them."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self._known = known

    def add(self, digest: str, data: bytes) -> None:
        """Add a payload that the run does not remember (too large to keep)."""
        self[digest] = from_bytes(data)

    def __contains__(self, digest: object) -> bool:
        return digest in self._known.payloads or super().__contains__(digest)

    def __missing__(self, digest: str) -> object:
        value = self[digest] = from_bytes(self._known.payloads[digest])
        return value
