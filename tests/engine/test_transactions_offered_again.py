"""A transaction node's outcome that has to be offered twice: what the first offer has folded in memory may not be true."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from engine_driver import Driver
from graphs import graph
from nexum.core.graph.nodes import Compute, Handler, Param, Transaction
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import Cell, RetryRequested
from nexum.core.run.state import Phase
from nexum.engine.work import Committed, Succeeded
from nexum.errors import UnavailableError
from nexum.store.api import Mail
from nexum.store.memory import MemoryStore
from nexum.store.memory.draining import HeldRun

GIVEN = (Param(name="input", source="input"),)
WRITES = Transaction(id="writes", handler=Handler(ref="m:writes"), params=GIVEN, output={})
AFTER = Compute(id="after", handler=Handler(ref="m:after"), params=(Param(name="w", source="writes"),), output={})


def test_a_run_goes_on_when_the_drain_after_a_transaction_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(MemoryStore(lambda: time.time_ns() // 1_000))
    flow = graph(WRITES, AFTER)
    run = driver.start(flow).run_id
    (work,) = driver.claim(flow)
    outcome = driver.engine.complete(driver.store, work, Succeeded(b"1"))
    assert isinstance(outcome, Committed)
    driver.store.post(Mail(run, "retry", "RetryRequested", encode_mail(RetryRequested(Cell("after"), "now"))))

    def away(self: HeldRun, ids: Sequence[int]) -> None:
        raise UnavailableError("the database is away", code="NX-S102")

    with monkeypatch.context() as patched:
        patched.setattr(HeldRun, "take", away)
        with pytest.raises(UnavailableError):
            driver.engine.finish(work, outcome)
    following = driver.engine.finish(work, outcome)

    assert not driver.state(run).suspended
    assert following is not None
    driver.go_on(following)
    assert driver.state(run).phase is Phase.COMPLETED
