"""A run to which more mail comes than one drain folds: its row is let go in between, and what is urgent goes first."""

from __future__ import annotations

from typing import Any

import pytest

from engine_driver import Driver
from graphs import compute, graph
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested, Cell, SenderEnded
from nexum.engine.draining import BATCH, MAX_ROUNDS
from nexum.store.api import Mail

CHAIN = graph(compute("a", "input"))


def flood(driver: Driver, run: str, count: int) -> None:
    """Mail that means nothing to the run."""
    body = encode_mail(SenderEnded(Cell("a"), 1, 0))
    for number in range(count):
        assert driver.store.post(Mail(run, f"flood|{number}", "SenderEnded", body))


def test_a_cancellation_overtakes_the_mail_that_came_before_it(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    flood(driver, run, BATCH + 10)
    cancel = encode_mail(CancelRequested("enough"))
    driver.store.post(Mail(run, "cancel", "CancelRequested", cancel, priority=-1))

    driver.engine.drain(run)

    types = driver.types(run)
    assert types.index("CancelRequested") < (types.index("Ignored") if "Ignored" in types else len(types))
    assert not driver.store.has_mail(run)


def test_whoever_folds_a_runs_mail_lets_go_after_so_many_rounds(
    direct: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, taken = direct.start(CHAIN).run_id, []
    drain = direct.store.drain

    def counted(run_id: str, **options: Any) -> Any:
        taken.append(run_id)
        return drain(run_id, **options)

    monkeypatch.setattr(direct.store, "drain", counted)
    monkeypatch.setattr(direct.store, "has_mail", lambda run_id: True)  # others write faster than this one folds
    direct.engine.drain(run)

    assert taken == [run] * MAX_ROUNDS
