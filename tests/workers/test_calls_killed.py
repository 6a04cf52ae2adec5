"""A worker is killed around a call that its handler journals; the provider's ledger says how often each was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import fresh_sqlite
from fleet import Fleet
from nexum.client.doubts import Decision, resolve
from nexum.core.run.events import Cell
from nexum.testing.fakes import Fake, running
from waiting import until

SOON = 40
SECOND = "parts/io.part-1"
PARTS = [f"parts/io.part-{number}" for number in range(4)]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(fresh_sqlite(tmp_path), tmp_path)
    yield made
    made.close()


def killed_at(fleet: Fleet, point: str, pay: Fake) -> None:
    """A worker that is killed at this point of the second of four calls."""
    armed = f"{point}:call=part-1,file={fleet.folder / 'marker'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": armed, "BANK": pay.url})


def amounts(pay: Fake) -> list[int]:
    return [act["body"]["amount"] for act in pay.get("/ledger")]


def completed(fleet: Fleet, run: str) -> list[str]:
    return [event.path for event in fleet.store.events_after(run, 0) if event.type == "NodeCompleted"]


@pytest.mark.parametrize("point", ["iocall.before_claim", "iocall.after_record"])
def test_what_is_journaled_is_not_made_again_although_the_provider_dedupes_nothing(fleet: Fleet, point: str) -> None:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl"), dedupe="off") as pay:
        killed_at(fleet, point, pay)
        with fleet.sweeping():
            run = fleet.start("Several", "o")
            until(lambda: fleet.status(run) == "COMPLETED", SOON)
        until((fleet.folder / "marker.1").exists, SOON)

        assert amounts(pay) == [100, 101, 102, 103]
        assert completed(fleet, run) == [*PARTS, "parts"]
        assert len(fleet.acts("parts")) == 2


SENT = ["iocall.after_response", "iocall.before_blob", "iocall.after_blob"]


@pytest.mark.parametrize("point", ["iocall.after_claim", *SENT])
def test_a_call_that_may_have_been_made_carries_the_same_key_to_a_provider_that_dedupes(
    fleet: Fleet, point: str
) -> None:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl")) as pay:
        killed_at(fleet, point, pay)
        with fleet.sweeping():
            run = fleet.start("Several", "o", how="dedupes")
            until(lambda: fleet.status(run) == "COMPLETED", SOON)

        assert (fleet.folder / "marker.1").exists()
        assert amounts(pay) == [100, 101, 102, 103]
        assert len(pay.get("/requests")) == 4 + (point in SENT)
        assert completed(fleet, run) == [*PARTS, "parts"]


def test_a_worker_that_is_killed_while_the_database_is_away_sends_the_same_key_again(fleet: Fleet) -> None:
    away = f"inbox.after_insert:mode=raise,file={fleet.folder / 'away'}"
    killed = f"inbox.before_retry:file={fleet.folder / 'marker'}"
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl")) as pay:
        fleet.worker(processes=1, env={"NEXUM_CRASH": ";".join([away, killed]), "BANK": pay.url})
        with fleet.sweeping():
            run = fleet.start("Several", "o", how="dedupes")
            until(lambda: fleet.status(run) == "COMPLETED", SOON)

        assert [path.name for path in sorted(fleet.folder.glob("*.1"))] == ["away.1", "marker.1"]
        assert amounts(pay) == [100, 101, 102, 103]
        assert len(pay.get("/requests")) == 5


def test_a_call_that_may_have_been_made_is_held_and_goes_on_once_somebody_has_found_out(fleet: Fleet) -> None:
    with running("fakepay", ledger=str(fleet.folder / "ledger.jsonl"), dedupe="off") as pay:
        killed_at(fleet, "iocall.after_response", pay)
        with fleet.sweeping():
            run = fleet.start("Several", "o")
            until(lambda: fleet.events(run).count("EffectInDoubt") == 2, SOON)
            assert amounts(pay) == [100, 101]

            (known,) = [act for act in pay.get("/ledger") if act["body"]["amount"] == 101]
            decision = Decision(run, Cell(SECOND), "happened", "mika", "it is in their books", response=known["id"])
            resolve(fleet.store, decision, doorbell=fleet.doorbell)
            until(lambda: fleet.status(run) == "COMPLETED", SOON)

        assert amounts(pay) == [100, 101, 102, 103]
