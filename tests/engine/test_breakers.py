"""Breakers around attempts: a dead provider is left alone, nothing is lost by it, and all go on when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from databases import emptied, fresh_postgres, fresh_sqlite
from engine_driver import Driver
from graphs import graph
from nexum.client.breakers import override
from nexum.core.graph.nodes import Effect, Handler, Param
from nexum.core.graph.policies import BreakerPolicy, Dedupes, RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Error
from nexum.core.run.state import Phase
from nexum.engine.work import Failed, Work
from nexum.errors import UnavailableError
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum.store.memory import MemoryStore

SECOND = 1_000_000
HOUR = 3_600 * SECOND
POLICY = BreakerPolicy(failures=5, within=60 * SECOND, open_for=30 * SECOND, probes=1)
RUNS = 20
NO_LIMITS = TimeoutPolicy()


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(
    kind: str, clock: Clock, tmp_path: Path, worker_name: str, pg_server_url: str, shared_databases: dict[str, str]
) -> Iterator[Callable[[str], Driver]]:
    """Makes workers on one store of each kind, whose clock is moved by hand."""
    opened: list[Store] = []
    only = MemoryStore(clock)
    if kind == "sqlite":
        url = fresh_sqlite(tmp_path)
    elif kind != "memory":
        if "clocked" not in shared_databases:
            shared_databases["clocked"] = fresh_postgres(pg_server_url, f"{worker_name}_clocked")
        url = emptied(shared_databases["clocked"])

    def make(name: str) -> Driver:
        opened.append(only if kind == "memory" else open_store(url, clock=clock))
        return Driver(opened[-1], session=name, lease=HOUR * 24)

    yield make
    for each in opened:
        each.close()


class Provider:
    """A provider that is dead until it is healed."""

    def __init__(self) -> None:
        self.dead = True
        self.asked = 0

    def __call__(self, work: Work) -> object:
        self.asked += 1
        return Failed(Error("NX-R200", "connection refused", retryable=True)) if self.dead else {"id": "re_1"}


def refunds(policy: BreakerPolicy | None = POLICY, timeouts: TimeoutPolicy = NO_LIMITS) -> Graph:
    retry = RetryPolicy(max_attempts=6, first_wait=SECOND, ceiling=SECOND, jitter=0)
    pay = Effect(
        id="pay",
        handler=Handler(ref="m:pay"),
        params=(Param(name="input", source="input"),),
        output={},
        tool="stripe.refund",
        doubt=Dedupes(ttl=HOUR),
        retry=retry,
        breaker=policy,
        timeouts=timeouts,
    )
    return graph(pay)


def test_twenty_runs_against_a_dead_provider_send_no_more_than_failures_and_probes(
    worker: Callable[[str], Driver], clock: Clock
) -> None:
    provider, driver, pays = Provider(), worker("s1"), refunds()
    driver.handlers["pay"] = provider
    runs = [driver.start(pays, number).run_id for number in range(RUNS)]

    def play() -> None:
        for work in driver.claim(pays, limit=RUNS * 2):
            driver.go_on(work)

    for _ in range(5):  # each of them claims one after the other, as a worker does
        while driver.store.breaker("default", "stripe.refund")[0].state == "closed":
            for work in driver.claim(pays):
                driver.go_on(work)
        clock.now += SECOND
        play()
    assert provider.asked == POLICY.failures
    clock.now += 30 * SECOND
    play()
    assert provider.asked == POLICY.failures + 1
    before = [sum(e.type == "AttemptFailed" for e in driver.events(run)) for run in runs]
    clock.now += 20 * SECOND
    play()
    assert sum(before) == provider.asked == POLICY.failures + 1
    assert [sum(e.type == "AttemptFailed" for e in driver.events(run)) for run in runs] == before

    provider.dead = False
    for _ in range(3):
        clock.now += 30 * SECOND
        play()
    assert [driver.state(run).phase for run in runs] == [Phase.COMPLETED] * RUNS
    assert provider.asked == POLICY.failures + 1 + RUNS


def test_a_refused_task_costs_no_attempt_no_delivery_and_no_claim_of_its_key(
    worker: Callable[[str], Driver], clock: Clock
) -> None:
    provider, driver, pays = Provider(), worker("s1"), refunds(POLICY.model_copy(update={"failures": 1}))
    driver.handlers["pay"] = provider
    driver.start(pays, 1)
    driver.play(pays)
    run = driver.start(pays, 2).run_id
    assert driver.claim(pays) == []
    provider.dead = False
    assert driver.events(run)[-1].type == "NodeScheduled"
    clock.now += 30 * SECOND
    works = driver.claim(pays, limit=2)
    driver.go_on(works[0])
    clock.now += 30 * SECOND
    driver.play(pays)

    assert len(works) == 1
    assert [(w.attempt, w.deliveries) for w in driver.calls if w.task.run_id == run] == [(1, 1)]
    assert driver.state(run).phase is Phase.COMPLETED


def test_a_breaker_that_is_let_go_early_keeps_nobody_waiting(worker: Callable[[str], Driver], clock: Clock) -> None:
    driver, pays = worker("s1"), refunds(POLICY.model_copy(update={"open_for": HOUR}))
    held = {"actor": "mika", "reason": "they told us", "seconds": 3_600}
    override(driver.store, "stripe.refund", "open", **held)
    run = driver.start(pays, 1).run_id
    assert driver.claim(pays) == []

    override(driver.store, "stripe.refund", "auto", actor="mika", reason="it is up again")
    clock.now += 30 * SECOND
    driver.play(pays)

    assert driver.state(run).phase is Phase.COMPLETED


def test_two_workers_share_what_one_of_them_has_found_out(worker: Callable[[str], Driver], clock: Clock) -> None:
    provider, pays = Provider(), refunds()
    first, second = worker("s1"), worker("s2")
    first.handlers["pay"] = second.handlers["pay"] = provider
    for number in range(RUNS):
        first.start(pays, number)
    for _ in range(POLICY.failures):
        (work,) = first.claim(pays)
        first.go_on(work)

    assert second.claim(pays, limit=RUNS) == []
    assert second.calls == []
    clock.now += 31 * SECOND
    assert len([*first.claim(pays, limit=RUNS), *second.claim(pays, limit=RUNS)]) == 1


@pytest.mark.parametrize(
    ("failed", "state"),
    [
        (Failed(Error("NX-R210", "no such card", retryable=False)), "closed"),
        (Failed(Error("NX-L210", "not JSON", retryable=True), repairable=True), "closed"),
        (Failed(Error("NX-E201", "no answer", retryable=False), sent="unknown"), "open"),
        (Failed(Error("NX-R200", "refused", retryable=True)), "open"),
    ],
)
def test_what_speaks_against_the_tool_counts_and_an_answer_does_not(
    worker: Callable[[str], Driver], failed: Failed, state: str
) -> None:
    driver, pays = worker("s1"), refunds(POLICY.model_copy(update={"failures": 1}))
    driver.handlers["pay"] = lambda work: failed
    driver.start(pays, 1)
    (work,) = driver.claim(pays)
    driver.engine.finish(work, driver.execute(work))

    assert driver.store.breaker("default", "stripe.refund")[0].state == state


def test_a_node_that_declares_none_asks_nobody(worker: Callable[[str], Driver]) -> None:
    provider, driver, pays = Provider(), worker("s1"), refunds(None)
    driver.handlers["pay"] = provider
    driver.start(pays, 1)
    driver.play(pays)

    assert provider.asked == 1
    assert driver.store.breaker("default", "stripe.refund")[0].revision == 0


def test_time_that_a_breaker_holds_a_task_does_not_count_as_time_to_start(
    worker: Callable[[str], Driver], clock: Clock
) -> None:
    provider, driver = Provider(), worker("s1")
    once = POLICY.model_copy(update={"failures": 1})
    pays = refunds(once, TimeoutPolicy(schedule_to_start=10 * SECOND))
    driver.handlers["pay"] = provider
    driver.start(pays, 1)
    driver.play(pays)
    run = driver.start(pays, 2).run_id
    for _ in range(20):  # in which the provider stays dead, and somebody looks every five seconds
        driver.play(pays)
        clock.now += 5 * SECOND
        driver.sweep()
    assert not [event for event in driver.events(run) if b"NX-R203" in event.body]  # not started in time

    provider.dead = False
    for _ in range(3):
        driver.play(pays)
        driver.sweep()
        clock.now += 30 * SECOND
    assert driver.state(run).phase is Phase.COMPLETED


def test_an_attempt_whose_breaker_could_not_be_asked_is_taken_up_again(
    worker: Callable[[str], Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, pays = worker("w1"), refunds()
    driver.start(pays)
    (claimed,) = driver.store.claim("w1", [pays.queue], 1)

    def away(*_: object) -> None:
        raise UnavailableError("the database is away", code="NX-S102")

    with monkeypatch.context() as patched:
        patched.setattr(driver.store, "breaker", away)
        with pytest.raises(UnavailableError):
            driver.engine.begin(claimed)

    assert [work.task for work in driver.engine.adopt()] == [claimed.key]
