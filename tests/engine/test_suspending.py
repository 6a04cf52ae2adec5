"""Whatever is wrong with a run stops that run alone: it says so, and nobody is kept busy by it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from engine_driver import Driver
from graphs import compute, graph, params
from nexum.broker.doorbell import NullDoorbell
from nexum.cli.doctor.rebuild import compare
from nexum.client.interventions import By, retry
from nexum.core.canonical import from_bytes
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import RetryPolicy, TimeoutPolicy
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested, Cell, Error, RunResumed
from nexum.core.run.standing import LATER
from nexum.core.run.state import Phase
from nexum.engine.sweep import Sweeper
from nexum.engine.work import Failed
from nexum.errors import ConfigurationError
from nexum.readouts.run import read_run
from nexum.readouts.runs import run_lines
from nexum.readouts.situation import Crew
from nexum.store.api import Mail, Store
from nexum.store.reading import RECENT, Asked, RunQuery, list_runs
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs

LARGE = "x" * 20_000  # a blob
HUGE = "x" * 1_100_000  # a blob that no memory keeps
CHAIN = graph(compute("a", "input"), compute("b", "a"))
OTHER = graph(compute("a", "input"), compute("c", "a"))
PAY = graph(
    compute("a", "input"), Effect(id="pay", handler=Handler(ref="m:pay"), output={}, params=params(("a",)), tool="t")
)
FORK = graph(compute("a", "input"), compute("p", "a"), compute("q", "input"), result=("p", "q"))


@pytest.fixture
def variant() -> dict[str, object]:
    """One is enough here: nothing below depends on how results travel."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql", "bare"])
def kind(request: pytest.FixtureRequest) -> str:
    """Databases only: what is wrong below is written in SQL."""
    return str(request.param)


def spoil(store: Store, statement: str, **values: object) -> None:
    assert isinstance(store, Verbs)
    with store.database.transaction() as tx:
        tx.run(Statement(statement), **values)


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    assert isinstance(store, Verbs)
    return store.select(text(query))  # type: ignore[arg-type]


def blob_gone(store: Store) -> None:
    spoil(store, "DELETE FROM nexum_blobs")


def blob_damaged(store: Store) -> None:
    spoil(store, "UPDATE nexum_blobs SET codec = '', data = :data", data=b"{}")


def payload_changed(store: Store) -> None:
    spoil(store, "UPDATE nexum_events SET payload = :other WHERE type = 'NodeCompleted'", other=b"3")


def version_gone(store: Store) -> None:
    spoil(store, "DELETE FROM nexum_versions")


def graph_changed(store: Store) -> None:
    spoil(store, "UPDATE nexum_versions SET graph = :graph", graph=OTHER.data)


def half_done(driver: Driver, value: object, of: Any = CHAIN) -> str:
    """A run whose first node has returned this; its second is ready and claimed by nobody."""
    driver.handlers["a"] = lambda work: value
    run = driver.start(of).run_id
    (work,) = driver.claim(of)
    driver.go_on(work, keep=False)
    return run


def standing(store: Store, run: str) -> tuple[str, str]:
    assert isinstance(store, Verbs)
    found = read_run(store, run, may_read=True)
    assert found is not None
    return found.run.standing.code, found.run.standing.sentence


def named(store: Store, name: str) -> set[str]:
    assert isinstance(store, Verbs)
    return {row.run_id for row in list_runs(store, RunQuery((Asked("standing", name),), now=store.now()), limit=10)}


def announced(driver: Driver) -> int:
    return Sweeper(driver.store, NullDoorbell(), told_after=0, mail_after=0).run_once().total


@pytest.mark.parametrize(
    ("damage", "value", "code"),
    [
        (blob_gone, LARGE, "NX-S121"),
        (blob_damaged, LARGE, "NX-S101"),
        (payload_changed, 2, "NX-S121"),
        (version_gone, 2, "NX-R405"),
        (graph_changed, 2, "NX-S101"),
    ],
)
def test_a_task_that_cannot_be_begun_suspends_its_run_and_another_run_goes_on(
    driver: Driver, damage: Any, value: object, code: str
) -> None:
    run = half_done(driver, value)
    damage(driver.store)
    fresh = Driver(driver.store, session="s2")

    assert fresh.claim(CHAIN) == []

    last = fresh.events(run)[-1]
    assert (last.type, from_bytes(last.body)["error"]["code"]) == ("RunSuspended", code)
    assert rows(fresh.store, "SELECT * FROM nexum_tasks") == []
    assert announced(fresh) == 0
    found, sentence = standing(fresh.store, run)
    assert (found, code in sentence) == ("needs_attention", True)
    assert named(fresh.store, "needs_attention") == {run}
    healthy = graph(compute("a", "input"), compute("d", "a"))
    other = fresh.start(healthy).run_id
    fresh.play(healthy)
    assert fresh.state(other).phase is Phase.COMPLETED
    assert fresh.events(run)[-1] == last


def test_an_exception_that_nobody_foresaw_suspends_the_run(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    run = driver.start(CHAIN).run_id

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("nexum.engine.handing.read_payload", broken)
    assert driver.claim(CHAIN) == []

    error = from_bytes(driver.events(run)[-1].body)["error"]
    assert (error["code"], error["type"]) == ("NX-R406", "ZeroDivisionError")
    assert driver.claim(CHAIN) == []
    assert driver.types(run).count("RunSuspended") == 1


def test_the_claim_of_an_effect_that_cannot_be_begun_is_taken_back(driver: Driver) -> None:
    run = half_done(driver, LARGE, PAY)
    blob_gone(driver.store)

    assert Driver(driver.store, session="s2").claim(PAY) == []

    assert driver.types(run)[-1] == "RunSuspended"
    assert rows(driver.store, "SELECT * FROM nexum_effects") == []


def test_a_next_node_that_cannot_be_begun_suspends_the_run_after_the_result_was_recorded(direct: Driver) -> None:
    g = graph(compute("a", "input"), compute("b", "a", "input"))
    run = direct.start(g, HUGE).run_id
    direct.handlers["a"] = lambda work: 1
    (work,) = direct.claim(g)
    blob_gone(direct.store)

    direct.go_on(work)

    assert direct.types(run)[-3:] == ["NodeCompleted", "NodeScheduled", "RunSuspended"]
    assert rows(direct.store, "SELECT * FROM nexum_tasks") == []
    assert direct.engine.adopt() == []


def test_what_is_under_way_elsewhere_is_still_recorded_and_a_resumed_run_ends(driver: Driver) -> None:
    driver.handlers.update(a=lambda work: 1, q=lambda work: 2)
    run = driver.start(FORK, LARGE).run_id
    works = {work.node.id: work for work in driver.claim(FORK, 2)}
    kept = rows(driver.store, "SELECT tenant, hash, codec, size, data, touched FROM nexum_blobs")[0]
    driver.go_on(works["a"], keep=False)
    driver.engine.release(works["q"])
    (p,) = [work for work in driver.claim(FORK, 2) if work.node.id == "p" or driver.engine.release(work)]
    blob_gone(driver.store)

    assert Driver(driver.store, session="s2").claim(FORK) == []
    assert driver.types(run)[-1] == "RunSuspended"
    assert [row[0] for row in rows(driver.store, "SELECT path FROM nexum_tasks")] == ["p"]
    assert isinstance(driver.store, Verbs)
    assert compare(driver.store).differences == []
    driver.go_on(p)
    assert driver.types(run)[-1] == "NodeCompleted"
    assert rows(driver.store, "SELECT path FROM nexum_tasks") == []
    assert driver.state(run).suspended

    spoil(
        driver.store,
        "INSERT INTO nexum_blobs (tenant, hash, codec, size, data, touched) VALUES (:a, :b, :c, :d, :e, :f)",
        **dict(zip("abcdef", kept, strict=True)),
    )
    driver.store.post(Mail(run, "resume", "RunResumed", encode_mail(RunResumed("the blob is back"))))
    driver.engine.drain(run)
    driver.play(FORK)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [work.node.id for work in driver.calls] == ["a", "p", "q"]


def test_a_resumption_leaves_a_task_alone_that_is_under_way(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)
    held = rows(driver.store, "SELECT path, state, session, token FROM nexum_tasks")
    driver.store.post(
        Mail(run, "suspend", "RunSuspended", b'{"cell":["",0,0],"error":{"code":"NX-R406","message":"x"}}')
    )
    driver.engine.drain(run)
    driver.store.post(Mail(run, "resume", "RunResumed", encode_mail(RunResumed("again"))))
    driver.engine.drain(run)

    assert rows(driver.store, "SELECT path, state, session, token FROM nexum_tasks") == held
    driver.go_on(work)
    assert driver.state(run).phase is Phase.COMPLETED


def test_the_time_for_which_a_run_was_suspended_does_not_count_as_time_to_start(driver: Driver) -> None:
    limited = graph(compute("a", "input", timeouts=TimeoutPolicy(schedule_to_start=1_000)))
    run = driver.start(limited).run_id
    driver.store.post(
        Mail(run, "suspend", "RunSuspended", b'{"cell":["",0,0],"error":{"code":"NX-R406","message":"x"}}')
    )
    driver.engine.drain(run)
    before = driver.store.now()

    driver.store.post(Mail(run, "resume", "RunResumed", encode_mail(RunResumed("again"))))
    driver.engine.drain(run)

    ((start_by,),) = rows(driver.store, "SELECT start_by FROM nexum_tasks")
    assert start_by >= before + 1_000
    assert isinstance(driver.store, Verbs)
    assert compare(driver.store).differences == []


def first_event_gone(store: Store) -> None:
    spoil(store, "DELETE FROM nexum_events WHERE seq = 1")


def last_event_gone(store: Store) -> None:
    spoil(store, "DELETE FROM nexum_events WHERE seq = (SELECT MAX(seq) FROM nexum_events)")


def all_events_gone(store: Store) -> None:
    spoil(store, "DELETE FROM nexum_events")


def hash_flipped(store: Store) -> None:
    spoil(store, "UPDATE nexum_events SET prev_hash = :zero WHERE seq = 3", zero=bytes(32))


def last_hash_flipped(store: Store) -> None:
    spoil(
        store,
        "UPDATE nexum_events SET hash = :zero WHERE seq = (SELECT MAX(seq) FROM nexum_events)",
        zero=bytes(32),
    )


def event_unreadable(store: Store) -> None:
    spoil(store, "UPDATE nexum_events SET body = :body WHERE seq = 3", body=b"{")


@pytest.mark.parametrize(
    "damage",
    [first_event_gone, last_event_gone, all_events_gone, hash_flipped, last_hash_flipped, event_unreadable],
)
def test_a_run_whose_history_cannot_be_continued_is_put_off_and_says_so(driver: Driver, damage: Any) -> None:
    run = half_done(driver, 2, PAY)
    before = rows(driver.store, "SELECT * FROM nexum_events ORDER BY seq")
    damage(driver.store)
    damaged = driver.store.events_after(run, 0)
    fresh = Driver(driver.store, session="s2")

    assert fresh.claim(PAY) == []

    assert driver.store.events_after(run, 0) == damaged  # nothing is appended to what nobody can continue
    ((state, session, not_before),) = rows(driver.store, "SELECT state, session, not_before FROM nexum_tasks")
    assert (state, session) == ("READY", "")
    assert 0 < not_before - driver.store.now() <= LATER
    assert rows(driver.store, "SELECT * FROM nexum_effects") == []
    assert fresh.claim(PAY) == []
    assert announced(fresh) == 0
    found, sentence = standing(driver.store, run)
    assert (found, "NX-S120" in sentence) == ("needs_attention", True)
    assert named(driver.store, "needs_attention") == {run}
    assert named(driver.store, "retrying") == set()

    spoil(driver.store, "DELETE FROM nexum_events")
    for row in before:
        marks = ", ".join(f":c{place}" for place in range(len(row)))
        values = {f"c{place}": value for place, value in enumerate(row)}
        spoil(driver.store, f"INSERT INTO nexum_events VALUES ({marks})", **values)
    spoil(driver.store, "UPDATE nexum_tasks SET not_before = 0")
    Driver(driver.store, session="s3").play(PAY)

    assert driver.state(run).phase is Phase.COMPLETED
    assert rows(driver.store, "SELECT error_code FROM nexum_runs") == [("",)]


def test_a_result_for_a_broken_history_stays_recorded_and_its_task_is_put_off(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)
    hash_flipped(driver.store)
    spoil(driver.store, "UPDATE nexum_events SET prev_hash = :zero WHERE seq = 2", zero=bytes(32))
    fresh = Driver(driver.store, session="s1-again")
    fresh.engine.session = "s1"

    assert fresh.engine.finish(work, driver.execute(work)) is None

    assert driver.store.has_mail(run)
    assert rows(driver.store, "SELECT state FROM nexum_tasks") == [("READY",)]
    assert driver.claim(CHAIN) == []
    assert standing(driver.store, run)[0] == "needs_attention"


def test_mail_of_a_run_that_cannot_be_loaded_is_kept_and_does_not_keep_the_sweeper_busy(driver: Driver) -> None:
    run = half_done(driver, 2)
    version_gone(driver.store)
    other = driver.start(OTHER).run_id
    for each in (run, other):
        driver.store.post(Mail(each, "cancel", "CancelRequested", encode_mail(CancelRequested("enough"))))
    sweeper = Sweeper(driver.store, NullDoorbell(), mail_after=0)

    first, second = sweeper.run_once(), sweeper.run_once()

    assert (first.failed, first.drained, second.failed, second.drained) == (1, 1, 0, 0)
    assert driver.types(run)[-1] == "RunSuspended"
    assert driver.store.has_mail(run)
    assert driver.state(other).phase is Phase.CANCELLED


def test_an_installation_that_does_not_fit_suspends_nothing_and_puts_the_task_off(driver: Driver) -> None:
    run = half_done(driver, LARGE)
    spoil(driver.store, "ALTER TABLE nexum_blobs RENAME TO nexum_gone")

    with pytest.raises(ConfigurationError) as caught:
        Driver(driver.store, session="s2").claim(CHAIN)

    spoil(driver.store, "ALTER TABLE nexum_gone RENAME TO nexum_blobs")
    assert caught.value.code == "NX-S110"
    assert driver.types(run)[-1] == "NodeScheduled"
    assert driver.claim(CHAIN) == []
    assert rows(driver.store, "SELECT state FROM nexum_tasks") == [("READY",)]


def test_a_node_that_was_parked_long_ago_is_what_a_page_of_runs_says(driver: Driver) -> None:
    parks = compute("a", "input", retry=RetryPolicy(max_attempts=1, exhausted="park"))
    tries = compute("b", "input", retry=RetryPolicy(max_attempts=99, first_wait=0, jitter=0))
    long = graph(parks, tries)
    down = Failed(Error("NX-R200", "down", retryable=True))
    left = iter(range(RECENT))
    driver.handlers = {"a": lambda work: down, "b": lambda work: down if next(left) < RECENT * 0.6 else 1}
    run = driver.start(long).run_id
    driver.play(long)
    assert driver.types(run)[-1] == "NodeCompleted"
    assert driver.types(run).index("NodeParked") < len(driver.types(run)) - RECENT
    assert isinstance(driver.store, Verbs)

    def standing() -> str:
        assert isinstance(driver.store, Verbs)
        crew = Crew(driver.store.sessions(), driver.store.now())
        (line,) = run_lines(driver.store, list_runs(driver.store, RunQuery(), limit=9), crew, driver.store.now())
        return line.standing.sentence

    assert standing().startswith("`a` is parked (NX-R200): down.")

    retry(driver.store, run, Cell("a"), By("mika", ""))
    assert "parked" not in standing()
