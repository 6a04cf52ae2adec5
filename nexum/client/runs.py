"""A handle on a run: ask where it stands, wait for what comes of it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from nexum.client.connect import Connection
from nexum.client.interventions import By, Done, cancel, terminate
from nexum.core.canonical import Json, from_bytes, sha256_hex
from nexum.core.run.codec import decode
from nexum.core.run.events import RUN, RUN_TERMINAL, Body, Cell, RunCancelled, RunCompleted, RunFailed, RunTerminated
from nexum.core.run.state import Phase
from nexum.core.values import BLOB, Ref
from nexum.errors import HandlerError, InternalError, NexumError
from nexum.errors.catalogue import CATALOGUE
from nexum.store.api import Head, Store

FIRST_PAUSE = 0.01  # seconds between two looks at a run, growing
LONGEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class RunHandle:
    """One run. `existing`: the start that gave this handle found the run by its key."""

    run_id: str
    connection: Connection = field(repr=False)
    existing: bool = False

    def head(self) -> Head:
        """Where the run stands. Raises `NexumError` NX-R404 when it does not exist."""
        found = self.connection.store.head(self.run_id)
        if found is None:
            raise NexumError(f"there is no run {self.run_id}", code="NX-R404")
        return found

    def status(self) -> str:
        """RUNNING, CLOSING, COMPLETED, FAILED, CANCELLED or TERMINATED."""
        return self.head().status

    def describe(self) -> dict[str, object]:
        """The run's id, workflow, version, tenant, status, number of events and trace."""
        head = self.head()
        return {
            "run_id": head.run_id,
            "workflow": head.workflow,
            "version": head.version,
            "tenant": head.tenant,
            "status": head.status,
            "events": head.seq,
            "trace": head.trace,
        }

    def wait(self, timeout: float | None = None) -> Head:
        """Wait until the run has ended, at most `timeout` seconds. Raises `NexumError` NX-R411 when time is up."""
        for pause in self._pauses(timeout):
            head = self.head()
            if Phase(head.status).is_ended:
                return head
            time.sleep(pause)
        raise self._still_running(timeout)

    def result(self, timeout: float | None = None) -> Json:
        """Wait for the run and give its result as JSON: one node's output, or an object by node.

        Raises `HandlerError` with the code of the first cause when the run failed, `NexumError` NX-R410 when it was
        cancelled or terminated, NX-R411 when `timeout` seconds have passed.
        """
        return result_of(self.connection.store, self.wait(timeout))

    async def aresult(self, timeout: float | None = None) -> Json:  # noqa: ASYNC109 (the twin of `result`)
        """As `result`, without blocking the loop while waiting."""
        for pause in self._pauses(timeout):
            head = await asyncio.to_thread(self.head)
            if Phase(head.status).is_ended:
                return await asyncio.to_thread(result_of, self.connection.store, head)
            await asyncio.sleep(pause)
        raise self._still_running(timeout)

    def cancel(self, reason: str, *, actor: str = "", compensate: bool = True) -> Done:
        """Ask the run to end: nothing new begins, effects under way are awaited, and what was done is undone.

        `actor` is who asks (this process when it is not said); without `compensate` what was done stays. Raises
        `InputError` NX-R220 without a reason, `NexumError` NX-R404, `ConflictError` NX-R409 when the run has ended or is
        closing already.
        """
        here = self.connection
        by = By(actor or _this_process(), reason)
        return cancel(here.store, self.run_id, by, compensate=compensate, doorbell=here.doorbell)

    def terminate(self, reason: str, *, actor: str = "") -> Done:
        """End the run at once: nothing is awaited, nothing undone. Raises as `cancel` does, but for closing runs."""
        here = self.connection
        return terminate(here.store, self.run_id, By(actor or _this_process(), reason), doorbell=here.doorbell)

    def _pauses(self, timeout: float | None) -> Iterator[float]:
        """One pause for each look; the last look comes when time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_PAUSE
        while True:
            left = LONGEST_PAUSE if deadline is None else deadline - time.monotonic()
            yield max(0.0, min(pause, left))
            if left <= 0:
                return
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _still_running(self, timeout: float | None) -> NexumError:
        return NexumError(f"run {self.run_id} has not ended after {timeout:g} s", code="NX-R411")


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def result_of(store: Store, head: Head) -> Json:
    """The result of a run that has ended; see `RunHandle.result` for what is raised."""
    end = last_word(store, head)
    if isinstance(end, RunCompleted):
        values = {name: None if ref is None else _value(store, head, ref) for name, ref in end.result}
        return next(iter(values.values())) if len(values) == 1 else values
    if isinstance(end, RunFailed):
        code = end.error.code if end.error.code in CATALOGUE else "NX-R200"
        raise HandlerError(end.error.message, code=code, where=_place(head, end.cell))
    reason = end.reason if isinstance(end, RunCancelled | RunTerminated) else ""
    raise NexumError(
        f"the run was {head.status.lower()}: {reason or 'no reason given'}", code="NX-R410", where=head.run_id
    )


def last_word(store: Store, head: Head) -> Body:
    """The event that ended a run. Raises `InternalError` NX-S106 when a run that has ended has none."""
    for row in reversed(store.events_after(head.run_id, max(0, head.seq - 1))):
        if row.type in RUN_TERMINAL:
            return decode(row.type, RUN, row.body)
    raise InternalError("the run has ended, but its last event does not say how", code="NX-S106", where=head.run_id)


def _value(store: Store, head: Head, ref: Ref) -> Json:
    data = store.blob(head.tenant, ref.hash) if ref.seq == BLOB else store.payload(head.run_id, ref.seq)
    if data is None or sha256_hex(data) != ref.hash:
        raise InternalError(f"the payload {ref.hash[:12]} is missing or damaged", code="NX-S101", where=head.run_id)
    return from_bytes(data)


def _place(head: Head, cell: Cell) -> str:
    return f"run {head.run_id}, node {cell.path}" if cell.path else f"run {head.run_id}"
