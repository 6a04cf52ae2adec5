"""The judge of the crash scenarios says what the ledger and the database say, and a missed target is never called met."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Table, Text

from databases import fresh_sqlite
from nexum.core.run.codec import encode
from nexum.core.run.events import Cell, EffectInDoubt
from nexum.store import tables
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.testing.crash.attack import Outcome
from nexum.testing.crash.attackers import Frozen
from nexum.testing.crash.clerk import OVERTAKEN, Clerk, Hold
from nexum.testing.crash.judge import Verdict, judge
from nexum.testing.crash.report import misses, write_page
from nexum.testing.crash.scenarios import SCENARIOS

GOOD = Verdict(
    runs=100, terminal=100, held_effects=0, duplicate_effects=0, lost_effects=0, unknown_effects=0, failed_runs=0
)
KILLED = Hold("k", "run", "paid", 0.0, "in_doubt", "the process that may have sent it died", proof="exit -9")
SPOILT = Hold("k", "run", "paid", 0.0, "in_doubt", "NX-R201: 503", modes=("503-after",))


def outcome(
    verdict: Verdict = GOOD, *, done: int = 10, holds: tuple[Hold, ...] = (), doubted: int = 0, told: int = 3
) -> Outcome:
    attacker: Any = SimpleNamespace(wanted=10, done=done, victims=Counter(child=done))
    return Outcome(verdict, attacker, holds, doubted, 0, told, {})


def missed(name: str, found: Outcome, added: float | None = 0.1) -> list[str]:
    return misses(SCENARIOS[name], found, added)


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"wrong"}))
def test_a_good_outcome_meets_the_target(name: str) -> None:
    assert missed(name, outcome()) == []


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.parametrize(
    "worse",
    [
        {"lost_effects": 1},
        {"unknown_effects": 1},
        {"failed_runs": 1},
        {"late_evidence_missing": 1},
        {"lost_acknowledgements": 1},
        {"terminal": 99},
        {"runs": 0, "terminal": 0},
    ],
)
def test_whatever_was_lost_misses_every_target(name: str, worse: dict[str, int]) -> None:
    verdict = replace(GOOD, duplicates_injected=3, duplicates_alarmed=3)
    assert missed(name, outcome(replace(verdict, **worse)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"wrong"}))
def test_a_duplicate_misses_the_target_of_whoever_promised_none(name: str) -> None:
    assert missed(name, outcome(replace(GOOD, duplicate_effects=1))) == ["1 duplicates"]


@pytest.mark.parametrize(("injected", "alarmed", "met"), [(3, 3, True), (3, 2, False), (2, 3, False), (0, 0, False)])
def test_a_wrong_policy_must_be_alarmed_as_often_as_it_did_harm(injected: int, alarmed: int, met: bool) -> None:
    verdict = replace(GOOD, duplicate_effects=3, duplicates_injected=injected, duplicates_alarmed=alarmed)
    assert (missed("wrong", outcome(verdict)) == []) is met


def test_a_run_must_be_told_of_what_was_done_twice() -> None:
    verdict = replace(GOOD, duplicate_effects=3, duplicates_injected=3, duplicates_alarmed=3)
    assert missed("wrong", outcome(verdict, told=2)) == ["runs were told of 2 of 3 duplicates"]


def test_an_attack_that_was_not_carried_out_shows_nothing() -> None:
    assert missed("dedupe", outcome(done=9)) == ["only 9 of 10 attacks were carried out"]


def test_a_hold_that_nobody_saw_or_nothing_explains_misses_the_target() -> None:
    assert missed("hold", outcome(holds=(KILLED, SPOILT), doubted=2)) == []
    assert missed("hold", outcome(holds=(KILLED,), doubted=2)) == ["1 of 2 holds are unexplained"]
    assert missed("hold", outcome(holds=(KILLED, replace(SPOILT, modes=())), doubted=2))


@pytest.mark.parametrize(
    ("hold", "explained"),
    [
        (KILLED, True),
        (SPOILT, True),
        (replace(KILLED, proof=""), False),
        (replace(KILLED, standing="running"), False),
        (replace(KILLED, standing=OVERTAKEN), True),
        (replace(SPOILT, evidence=""), False),
    ],
)
def test_a_hold_is_explained_by_a_death_with_proof_or_by_a_request_that_was_spoilt(hold: Hold, explained: bool) -> None:
    assert hold.is_explained is explained


def told(seq: int, attempt: int, evidence: str, proof: str = "") -> SimpleNamespace:
    """An event of a run's history."""
    body = encode(EffectInDoubt(Cell("paid"), attempt, evidence, proof))
    return SimpleNamespace(seq=seq, type="EffectInDoubt", path="paid", visit=1, item=-1, body=body)


def read_again(hold: Hold, *events: SimpleNamespace) -> Hold:
    """What the clerk makes of a hold in the end; it was noted for the first attempt."""
    store: Any = SimpleNamespace(events_after=lambda _run, _seq: events)
    nobody: Any = None
    clerk = Clerk(nobody, store, decides=False, settle=0.0)
    clerk.holds["run", "paid", 1] = early = replace(hold, evidence="", place="paid")
    clerk.complete()
    return early


DIED = "the process that may have sent it died"


def test_a_doubt_that_was_seen_before_its_run_had_folded_it_is_read_once_more() -> None:
    assert read_again(KILLED, told(7, 1, DIED)).is_explained


def test_a_doubt_is_explained_by_what_its_own_event_says_and_not_by_that_of_a_later_attempt() -> None:
    assert read_again(KILLED, told(7, 1, DIED), told(12, 2, "NX-R200: ReadError")).is_explained
    assert not read_again(KILLED, told(12, 2, DIED)).is_explained


def test_a_doubt_that_was_settled_before_we_looked_is_explained_by_what_its_event_has_proven() -> None:
    overtaken = replace(KILLED, standing=OVERTAKEN, proof="")

    assert read_again(overtaken, told(7, 1, DIED, "ended")).is_explained
    assert not read_again(overtaken, told(7, 1, DIED, "reported")).is_explained
    assert not read_again(replace(overtaken, standing="in_doubt"), told(7, 1, DIED, "ended")).is_explained


def test_one_false_doubt_in_a_hundred_effects_is_allowed_when_the_database_restarts_and_no_more() -> None:
    assert missed("pg-restart", outcome(doubted=2)) == []
    assert missed("pg-restart", outcome(doubted=3)) == ["3 effects of 200 were in doubt although nobody died"]


@pytest.mark.parametrize(("added", "met"), [(0.3, True), (-0.2, True), (5.0, False), (None, False)])
def test_a_flush_may_make_runs_later_by_less_than_five_seconds(added: float | None, met: bool) -> None:
    assert (missed("flush", outcome(), added) == []) is met


# the judge, on a real database


@pytest.fixture
def url(tmp_path: Path) -> str:
    return fresh_sqlite(tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = open_store(url)
    yield made
    made.close()


def insert(url: str, table: Table, **given: object) -> None:
    """One row, with nothing in every column that is not given."""
    row: dict[str, object] = {}
    for column in table.columns:
        if column.name == "id" and column.primary_key:
            continue
        empty: object = b"" if isinstance(column.type, LargeBinary) else "" if isinstance(column.type, Text) else 0
        row[column.name] = given.get(column.name, empty)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        connection.commit()


def effect(url: str, key: str, *, reference: str = "re_1", state: str = "APPLIED", token: int = 1) -> None:
    insert(url, tables.effects, tenant="t", key=key, run_id="r", state=state, reference=reference, token=token)


def evidence(url: str, key: str, reference: str, token: int) -> None:
    insert(
        url, tables.effect_evidence, tenant="t", key=key, run_id="r", state="APPLIED", reference=reference, token=token
    )


def ledger(folder: Path, *acts: tuple[str, str, str]) -> Path:
    """Acts as (key, kind, whom)."""
    path = folder / "ledger.jsonl"
    lines = [
        {
            "n": n,
            "act": act,
            "id": f"x_{n}",
            "key": key,
            "at": n,
            "body": {"order_id" if act == "refund" else "to": whom},
        }
        for n, (key, act, whom) in enumerate(acts, start=1)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_two_acts_with_two_references_in_the_database_are_an_alarmed_duplicate(
    url: str, store: Store, tmp_path: Path
) -> None:
    effect(url, "a", reference="re_2", token=2)
    evidence(url, "a", "re_1", 1)
    verdict = judge(store, ledger(tmp_path, ("a", "refund", "o"), ("a", "refund", "o")), {}, [Frozen("a", 1)])
    assert (verdict.duplicates_injected, verdict.duplicates_alarmed) == (1, 1)
    assert (verdict.late_results, verdict.late_evidence_missing) == (1, 0)


def test_two_acts_of_which_one_answer_was_lost_are_a_duplicate_without_alarm(
    url: str, store: Store, tmp_path: Path
) -> None:
    effect(url, "a")
    verdict = judge(store, ledger(tmp_path, ("a", "refund", "o"), ("a", "refund", "o")), {})
    assert (verdict.duplicates_injected, verdict.duplicates_alarmed) == (1, 0)
    assert verdict.duplicate_effects


def test_a_late_answer_that_was_taken_is_not_missing_and_one_that_is_nowhere_is(
    url: str, store: Store, tmp_path: Path
) -> None:
    effect(url, "taken", token=3)
    effect(url, "gone", token=3)
    acts = ledger(tmp_path, ("taken", "refund", "o"), ("gone", "refund", "p"))
    verdict = judge(store, acts, {}, [Frozen("taken", 3), Frozen("gone", 2)])
    assert (verdict.late_results, verdict.late_evidence_missing) == (2, 1)


def test_what_only_one_side_knows_of_is_lost_or_unknown(url: str, store: Store, tmp_path: Path) -> None:
    effect(url, "believed")
    verdict = judge(store, ledger(tmp_path, ("secret", "refund", "o")), {})
    assert (verdict.lost_effects, verdict.unknown_effects) == (1, 1)


def test_a_run_that_was_promised_and_does_not_exist_is_a_lost_acknowledgement(store: Store, tmp_path: Path) -> None:
    assert judge(store, tmp_path / "none", {"no such run": "order-1"}).lost_acknowledgements == 1


# the page


def report(**given: object) -> dict[str, object]:
    found = {"scenario": "hold", "met": True, "missed": [], "runs": 5000, "terminal": 5000, "kills": 1000}
    zero = dict.fromkeys(("duplicate_effects", "lost_effects", "unknown_effects"), 0)
    return {
        **found,
        **zero,
        "runs_wanted": 4900,
        "kills_wanted": 1000,
        "upper_bound_95": 0.0006,
        "seed": 7,
        "versions": {"nexum": "0.1.0"},
        "recovery_p50_s": None,
        **given,
    }


def test_a_page_says_what_was_done_and_how_sure_it_is(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "hold.md"
    write_page(page, report(), "nothing is guessed")
    text = page.read_text()
    assert text.startswith("# hold, 5,000 runs, 1,000 attacks: target met\n\nNothing is guessed.\n")
    assert "with 95 % confidence it fails in less than 0.06 % of runs" in text
    assert "make crash SCENARIO=hold RUNS=4900 KILLS=1000 SEED=7" in text
    assert "| versions | nexum 0.1.0 |" in text
    assert "| recovery_p50_s | not measured here |" in text


def test_a_page_of_a_missed_target_claims_no_confidence(tmp_path: Path) -> None:
    page = tmp_path / "hold.md"
    write_page(page, report(met=False, missed=["1 duplicates"], upper_bound_95=None), "nothing is guessed")
    assert "target missed" in page.read_text()
    assert "confidence" not in page.read_text()
    assert "| missed | 1 duplicates |" in page.read_text()
