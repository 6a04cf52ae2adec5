"""The step exists six times: function of chains, array function, plain statements beside them and without them, SQLite, memory.

They leave the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import fresh_sqlite
from nexum.store import postgres_calls
from nexum.store.api import Advance, Head, NewTask, NewTimer, Record, StepAnswer, Store, TaskKey
from nexum.store.connect import open_store
from nexum.store.memory import MemoryStore
from nexum.store.verbs import Verbs
from store_rows import advance, completed, effect, mail, outcome, record, start, task
from store_tables import dump, emptied, rows_of
from waiting import until

NOW = 1_700_000_000_000_000


@dataclass(frozen=True)
class Move:
    """One thing that happens to the run."""

    shape: str = "chain"  # chain, fork, timers, end
    acts: bool = False
    outcome: str = "APPLIED"
    trouble: str = ""  # "", seq, hash, token, duplicate, known
    only_record: bool = False
    payload: bytes = b"1"
    later: bool = False
    posts: bool = False
    claim: int = 0


moves = st.builds(
    Move,
    shape=st.sampled_from(["chain", "chain", "fork", "timers", "end"]),
    acts=st.booleans(),
    outcome=st.sampled_from(["APPLIED", "APPLIED", "FAILED", "UNKNOWN", "IN_DOUBT"]),
    trouble=st.sampled_from(["", "", "", "seq", "hash", "token", "duplicate", "known"]),
    only_record=st.booleans(),
    payload=st.binary(max_size=20),
    later=st.booleans(),
    posts=st.booleans(),
    claim=st.integers(-1, 1),
)


class Player:
    """Plays moves on one store; what it does depends on nothing but the moves."""

    def __init__(self, store: Store, step: Callable[[Record, Advance], StepAnswer]) -> None:
        self.store = store
        self.step = step
        self.answers: list[Any] = []
        self.number = 0

    def play(self, script: list[Move]) -> None:
        """Start a run and make the moves."""
        first = self.task("n0", acts=True)
        head = start(self.store, first)
        key = self.take(first.key)
        for move in script:
            self.number += 1
            head, key = self.move(move, head, key)

    def move(self, move: Move, head: Head, key: TaskKey) -> tuple[Head, TaskKey]:
        """One move; gives where the run stands and which task is under way."""
        if move.posts:
            self.store.post(mail("run", f"signal-{self.number}"))
        fact = self.fact(move, key)
        if move.only_record:
            self.answers.append(self.store.record(fact))
        self.answers.append(self.step(fact, self.advance(move, head, key)))
        held = self.store.adopt("s1")
        self.answers.append([(again.key, again.token, again.effect) for again in held])
        now = self.store.head("run")
        assert now is not None
        return now, held[0].key if held else key

    def fact(self, move: Move, key: TaskKey) -> Record:
        """What the attempt ended with."""
        token = 0 if move.trouble == "token" else 1
        done = outcome(f"key-{key.path}", token, move.outcome, result=move.payload, reference="re", raw=b"\x00")
        known = f"key-{key.path}" in [row["key"] for row in rows_of(self.store, "nexum_effects")]
        return record(key, done if known else None, token=token, output=move.payload)

    def advance(self, move: Move, head: Head, key: TaskKey) -> Advance:
        """What follows from it."""
        wrong = {"seq": head._replace(seq=head.seq + 1), "hash": head._replace(hash=b"\x05" * 32)}
        names = [f"n{self.number}", f"m{self.number}"] if move.shape == "fork" else [f"n{self.number}"]
        tasks = tuple(self.task(name, move.acts, NOW + 9 if move.later else 0) for name in names)
        if move.shape == "end":
            bodies = [completed(key, move.payload), {"type": "RunCompleted", "path": "", "dedupe": ""}]
            return advance(wrong.get(move.trouble, head), *bodies, drop_tasks=(key,), status="COMPLETED", closed=True)
        bodies = [completed(key, move.payload), *[{"path": name} for name in names]]
        if move.trouble == "duplicate":
            bodies[1] = {"path": "twice", "type": "NodeSkipped"}
        if move.trouble == "known":
            bodies[1] = {"path": names[0], "dedupe": "start"}
        timers: dict[str, Any] = {}
        if move.shape == "timers":
            same = (NewTimer(f"t{self.number}", NOW), NewTimer(f"t{self.number}", NOW + 1))
            timers = {"set_timers": same, "clear_timers": (f"t{self.number - 1}",)}
            timers["applied"] = tuple(f"key-n{n}" for n in range(self.number))
        return advance(
            wrong.get(move.trouble, head),
            *bodies,
            drop_tasks=(key,),
            new_tasks=tasks,
            claim=min(move.claim, len(tasks) - 1),
            **timers,
        )

    def task(self, name: str, acts: bool = False, not_before: int = 0) -> NewTask:
        """A task with or without an effect."""
        return task("run", name, effect=effect(f"key-{name}") if acts else None, not_before=not_before)

    def take(self, key: TaskKey) -> TaskKey:
        """Claim the first task."""
        held = self.store.claim_one("s1", key)
        assert held is not None
        return held.key


def _others(cursor: Any) -> Any:
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return cursor.fetchone()[0]


@pytest.fixture(scope="module")
def stores(
    shared_postgres: str, shared_bare: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Store]]:
    """One store of each kind; emptied between examples."""
    opened: dict[str, Store] = {
        "memory": MemoryStore(lambda: NOW),
        "postgresql": open_store(shared_postgres, clock=lambda: NOW),
        "bare": open_store(shared_bare, clock=lambda: NOW),
        "sqlite": open_store(fresh_sqlite(tmp_path_factory.mktemp("twins")), clock=lambda: NOW),
    }
    yield opened
    for store in opened.values():
        store.close()


def played(store: Store, way: str, script: list[Move]) -> tuple[dict[str, list[str]], list[Any]]:
    """The tables and the answers after the moves, made in one of the six ways."""
    emptied(store)
    step = store.step if way != "plain" else lambda fact, further: Verbs.step(store, fact, further)  # type: ignore[arg-type]
    fits = (lambda fact, further: False) if way == "array" else postgres_calls.fits_chain
    player = Player(store, step)
    with patch.object(postgres_calls, "fits_chain", fits):
        player.play(script)
    return dump(store), player.answers


def _worst() -> list[list[Move]]:
    """Every trouble in both shapes of the call, with an effect that has happened and one that nobody knows of."""
    return [
        [Move(shape=shape, trouble=trouble, outcome=outcome), Move(acts=True)]
        for trouble in ("seq", "hash", "token", "duplicate", "known")
        for shape in ("chain", "fork")
        for outcome in ("APPLIED", "UNKNOWN")
    ]


@pytest.mark.parametrize(
    "script", _worst(), ids=lambda script: f"{script[0].trouble}-{script[0].shape}-{script[0].outcome}"
)
def test_all_six_fail_alike(stores: dict[str, Store], script: list[Move]) -> None:
    expected = played(stores["sqlite"], "sqlite", script)

    for way in ("function", "array", "plain"):
        assert played(stores["postgresql"], way, script) == expected, way
    for kind in ("bare", "memory"):
        assert played(stores[kind], kind, script) == expected, kind


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=st.lists(moves, min_size=1, max_size=6))
def test_all_six_leave_identical_tables_and_answers(stores: dict[str, Store], script: list[Move]) -> None:
    expected = played(stores["sqlite"], "sqlite", script)

    for way in ("function", "array", "plain"):
        assert played(stores["postgresql"], way, script) == expected, way
    for kind in ("bare", "memory"):
        assert played(stores[kind], kind, script) == expected, kind


def test_the_ordinary_step_takes_the_function_of_chains(stores: dict[str, Store], shared_postgres: str) -> None:
    called = []

    def seen(fact: Record, further: Advance, fixed: int) -> str:
        called.append(fact)
        return chain(fact, further, fixed)

    chain = postgres_calls.chain_argument
    with patch.object(postgres_calls, "chain_argument", seen):
        played(stores["postgresql"], "function", [Move(), Move(acts=True), Move(shape="fork")])

    assert len(called) == 2


@pytest.mark.parametrize("text", ['"', "\\", '\\"', ",", "()", "", "NULL", " a ", "\\x00", "null", "日本\n"])
def test_any_text_may_stand_in_an_ordinary_step(stores: dict[str, Store], text: str) -> None:
    emptied(stores["postgresql"])
    store, first = stores["postgresql"], task("run", "a", effect=effect("k"))
    head = start(store, first)
    assert store.claim_one("s1", first.key)
    following = task("run", f"b{text}", effect=effect(f"k2{text}"))
    fact = record(first.key, outcome("k"))
    fact = fact._replace(effect=fact.effect._replace(reference=text, raw=text.encode()))
    onward = advance(
        head,
        completed(first.key),
        {"path": following.key.path},
        drop_tasks=(first.key,),
        new_tasks=(following,),
        claim=0,
    )
    assert postgres_calls.fits_chain(fact, onward)

    assert store.step(fact, onward)[:4] == (True, True, True, False)

    assert [held.key for held in store.adopt("s1")] == [following.key]
    (kept,) = [row for row in rows_of(store, "nexum_effects") if row["key"] == "k"]
    assert (kept["reference"], bytes(kept["raw"])) == (text, text.encode())


def test_steps_never_read_a_hot_table_from_end_to_end(stores: dict[str, Store], shared_postgres: str) -> None:
    script = [Move(acts=True), Move(shape="fork", acts=True), Move(shape="timers"), Move(trouble="hash"), Move()]
    hot = ("nexum_runs", "nexum_events", "nexum_tasks", "nexum_inbox", "nexum_effects", "nexum_timers")

    def scans() -> tuple[dict[str, int], int]:
        """Sequential scans by table, and index scans of all; a backend reports at the latest when it ends."""
        store.close()
        with closing(psycopg2.connect(shared_postgres)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            until(lambda: not _others(cursor))
            cursor.execute("SELECT relname, seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname IN %s", (hot,))
            found = cursor.fetchall()
        return {name: sequential for name, sequential, _ in found}, sum(row[2] for row in found)

    store = stores["postgresql"]
    played(store, "function", script)
    first = task("other", "a", effect=effect("other"))
    head = start(store, first)
    with closing(psycopg2.connect(shared_postgres)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE")  # now the planner knows that the tables are small, which they will not stay
    before, by_index = scans()
    for number in range(30):
        key = TaskKey("other", "a" if not number else f"n{number - 1}", 1, -1, 1)
        if number % 3 == 0:
            assert store.claim("s1", [first.queue, "none"], 5) or number
        following = task("other", f"n{number}", effect=effect(f"o{number}"))
        fork = (task("other", f"x{number}"),) if number % 2 else ()
        bodies = (completed(key), {"path": following.key.path}, *[{"path": t.key.path} for t in fork])
        token = 1
        answer = store.step(
            record(key, outcome("other" if not number else f"o{number - 1}", token)),
            advance(head, *bodies, drop_tasks=(key,), new_tasks=(following, *fork), claim=0),
        )
        assert answer[:3] == (True, True, True)
        store.record(record(key, outcome(f"o{number}", 99)))
        with store.drain("other", wait=True) as run:
            assert run is not None
            run.apply(advance(run.head, {"path": f"y{number}"}))
            run.inbox()
            head = run.head

    after, by_index_now = scans()
    assert after == before
    assert by_index_now > by_index + 300
