"""A worker dies around a request to a provider that knows no idempotency keys; the provider is asked what happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet import Fleet
from nexum.core.run.codec import decode
from nexum.core.run.events import Cell, DoubtResolved
from nexum.testing.fakes import Fake, running
from waiting import until

SOON = 30


@pytest.fixture
def bank(fleet: Fleet) -> Iterator[Fake]:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl"), dedupe="off") as fake:
        yield fake


def played(fleet: Fleet, bank: Fake, point: str) -> str:
    """A run whose first worker process is killed at this point."""
    armed = f"{point}:limit=1,node=transfer,file={fleet.folder / 'marker'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed, "BANK": bank.url})
    with fleet.sweeping():
        run = fleet.start("Asking", "o-1")
        until(lambda: fleet.status(run) == "COMPLETED", SOON)
    assert "EffectInDoubt" in fleet.events(run)
    return run


def resolved(fleet: Fleet, run: str) -> list[tuple[str, str]]:
    rows = [row for row in fleet.store.events_after(run, 0) if row.type == "DoubtResolved"]
    found = [decode(row.type, Cell("transfer"), row.body) for row in rows]
    return [(body.by, body.outcome) for body in found if isinstance(body, DoubtResolved)]


def test_what_was_done_before_the_kill_is_found_and_not_done_again(fleet: Fleet, bank: Fake) -> None:
    run = played(fleet, bank, "effect.after_response")

    assert resolved(fleet, run) == [("reconcile", "happened")]
    assert len(bank.get("/ledger")) == 1
    assert len(fleet.acts("transfer")) == 1


def test_what_was_never_sent_is_asked_for_twice_and_then_sent_once_under_the_same_key(fleet: Fleet, bank: Fake) -> None:
    run = played(fleet, bank, "effect.after_guard")

    assert resolved(fleet, run) == [("reconcile", "did_not_happen")]
    assert len(fleet.acts("ask")) == 2
    (act,) = bank.get("/ledger")
    assert {line[4] for line in fleet.acts("ask")} == {act["key"]}
