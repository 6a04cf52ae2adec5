"""The step on real databases: chains, joins, retries, races between workers, answers that were lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from engine_driver import Driver
from graphs import compute, graph, params
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import SECOND, Dedupes, Hold, RetryPolicy, TimeoutPolicy
from nexum.core.run.events import Cell, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.loading import load
from nexum.engine.work import Failed, Succeeded, Work
from nexum.errors import UnavailableError
from nexum.store.api import StepAnswer, Store
from nexum.store.shapes import SILENCE

BOOM = Error("NX-R200", "boom", retryable=True)
CHAIN = graph(compute("a", "input"), compute("b", "a"), compute("c", "b"))
NO_WAIT = RetryPolicy(max_attempts=3, first_wait=0, jitter=0.0)


def effect(name: str, *sources: str, **more: object) -> Effect:
    options: dict[str, object] = {"doubt": Dedupes(ttl=3_600 * SECOND), "retry": NO_WAIT, **more}
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), output={}, params=params(sources), tool="pay", **options)  # type: ignore[arg-type]


def test_a_chain_is_executed_in_one_go_without_being_claimed_again(direct: Driver) -> None:
    driver = direct
    run = driver.start(CHAIN, 1).run_id

    (work,) = driver.claim(CHAIN)
    driver.go_on(work)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [call.node.id for call in driver.calls] == ["a", "b", "c"]
    assert driver.types(run) == ["RunStarted", *["NodeScheduled", "NodeCompleted"] * 3, "RunCompleted"]


def test_the_chain_of_hashes_holds_and_every_event_names_its_trace(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    driver.play(CHAIN)

    rows = driver.events(run)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert all(one.hash == other.prev_hash for one, other in pairwise(rows))
    assert len({row.trace for row in rows}) == 1
    assert rows[0].trace.startswith("00-")


def test_without_inline_continuation_the_next_task_waits_in_its_queue(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id

    (work,) = driver.claim(CHAIN)
    driver.go_on(work, keep=False)

    assert driver.state(run).cells[Cell("b")].status is CellStatus.SCHEDULED
    assert [w.node.id for w in driver.claim(CHAIN)] == ["b"]


def test_a_join_waits_for_both_and_runs_once(driver: Driver, another: Callable[[str], Driver]) -> None:
    diamond = graph(compute("a", "input"), compute("b", "a"), compute("c", "a"), compute("d", "b", "c"))
    run = driver.start(diamond, 1).run_id
    (work,) = driver.claim(diamond)
    driver.go_on(work, keep=False)
    other = another("s2")
    (left,), (right,) = driver.claim(diamond), other.claim(diamond)

    driver.go_on(left)
    other.go_on(right)
    driver.play(diamond)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [call.node.id for call in driver.calls + other.calls].count("d") == 1


def test_who_loses_the_comparison_has_recorded_and_takes_the_slow_path(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    fork = graph(compute("a", "input"), compute("b", "input"), result=("a", "b"))
    run = driver.start(fork).run_id
    other = another("s2")
    (left,), (right,) = driver.claim(fork), other.claim(fork)  # both know the run at the same number

    driver.go_on(left)
    other.go_on(right)

    assert driver.state(run).phase is Phase.COMPLETED


def test_a_retried_effect_keeps_its_key_and_its_inputs(driver: Driver) -> None:
    g = graph(compute("a", "input"), effect("pay", "a"))
    answers = iter([Failed(BOOM, sent="unknown"), Failed(BOOM), Succeeded(b'{"id":"re_1"}', reference="re_1")])
    driver.handlers["pay"] = lambda work: next(answers)
    run = driver.start(g).run_id

    driver.play(g)

    pays = [call for call in driver.calls if call.node.id == "pay"]
    assert [call.attempt for call in pays] == [1, 2, 3]
    assert len({(call.key, call.input_hash, call.inputs) for call in pays}) == 1
    assert driver.state(run).phase is Phase.COMPLETED


def test_an_unknown_outcome_without_dedupe_holds_the_run(driver: Driver) -> None:
    g = graph(effect("pay", "input", doubt=Hold()))
    driver.handlers["pay"] = lambda work: Failed(BOOM, sent="unknown")
    run = driver.start(g).run_id

    driver.play(g)

    assert driver.state(run).cells[Cell("pay")].status is CellStatus.IN_DOUBT
    assert driver.claim(g) == []
    assert len(driver.calls) == 1


def test_a_second_run_that_meets_a_recorded_business_key_reuses_its_result(driver: Driver) -> None:
    g = graph(effect("pay", "input", key="input.order"))
    driver.handlers["pay"] = lambda work: Succeeded(b'{"id":"re_1"}', reference="re_1")
    first = driver.start(g, {"order": "o-1"}, "k1").run_id
    driver.play(g)
    second = driver.start(g, {"order": "o-1"}, "k2").run_id

    driver.play(g)

    assert first != second
    assert len(driver.calls) == 1
    assert driver.state(second).phase is Phase.COMPLETED
    completed = next(row for row in driver.events(second) if row.type == "NodeCompleted")
    assert b'"by":"reuse"' in completed.body


def test_a_business_key_with_another_input_is_refused_and_nothing_is_sent(driver: Driver) -> None:
    g = graph(effect("pay", "input", key="input.order"))
    driver.handlers["pay"] = lambda work: {"id": "re_1"}
    driver.start(g, {"order": "o-1", "amount": 5}, "k1")
    driver.play(g)
    second = driver.start(g, {"order": "o-1", "amount": 6}, "k2").run_id

    driver.play(g)

    state = driver.state(second)
    assert len(driver.calls) == 1
    assert state.phase is Phase.FAILED
    assert state.cause_error is not None
    assert state.cause_error.code == "NX-E205"


def test_the_tasks_of_a_dead_session_are_executed_by_another(direct: Driver, another: Callable[[str], Driver]) -> None:
    g = graph(compute("a", "input"), effect("pay", "a"))
    run = direct.start(g).run_id
    (work,) = direct.claim(g)
    inline = direct.engine.finish(work, direct.execute(work))
    assert inline is not None
    direct.store.end_session("s1", proof="killed")

    other = another("s2")
    other.sweep()
    other.play(g)

    assert other.state(run).phase is Phase.COMPLETED
    assert [(call.node.id, call.key, call.attempt) for call in other.calls] == [("pay", inline.key, 1)]
    assert other.calls[0].token > inline.token


def test_a_zombies_result_wins_over_an_attempt_that_has_not_answered_and_leaves_one_result(
    driver: Driver, another: Callable[[str], Driver], store: Store
) -> None:
    g = graph(effect("pay", "input"))
    run = driver.start(g).run_id
    (zombie,) = driver.claim(g)
    store.end_session("s1", proof="believed dead")
    other = another("s2")
    other.sweep()
    (heir,) = other.claim(g)

    assert driver.engine.finish(zombie, Succeeded(b'"zombie"')) is None
    other.go_on(heir)

    completed = [row for row in other.events(run) if row.type == "NodeCompleted"]
    assert len(completed) == 1
    assert other.output(run, "pay") == b'"zombie"'


def test_a_dead_holders_effect_without_dedupe_is_in_doubt(driver: Driver, another: Callable[[str], Driver]) -> None:
    g = graph(effect("pay", "input", doubt=Hold()))
    run = driver.start(g).run_id
    driver.claim(g)
    driver.store.end_session("s1", proof="killed")

    other = another("s2")
    other.sweep()

    assert other.state(run).cells[Cell("pay")].status is CellStatus.IN_DOUBT
    assert other.claim(g) == []


def test_a_task_that_kills_its_workers_is_poison(driver: Driver, another: Callable[[str], Driver]) -> None:
    g = graph(compute("a", "input", retry=RetryPolicy(max_attempts=1)))
    run = driver.start(g).run_id
    for n in range(3):
        victim = another(f"v{n}")
        assert len(victim.claim(g)) == 1
        victim.store.end_session(f"v{n}", proof="killed")
        driver.sweep(poison_after=3)

    state = driver.state(run)
    assert state.phase is Phase.FAILED
    assert state.cause_error is not None
    assert state.cause_error.code == "NX-R206"


class _Cut:
    """A store whose next step is executed, but whose answer is lost (ExecuteAndTimeout)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cut = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def step(self, *args: object) -> StepAnswer:
        answer = self._store.step(*args)  # type: ignore[arg-type]
        if self.cut:
            self.cut = False
            raise UnavailableError("the connection was lost", code="NX-S102")
        return answer


def test_a_claim_whose_answer_was_lost_is_adopted(store: Store) -> None:
    driver = Driver(_Cut(store))  # type: ignore[arg-type]
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)

    assert driver.engine.finish(work, driver.execute(work)) is None
    assert driver.engine.may_have_lost
    (adopted,) = driver.engine.adopt()
    assert not driver.engine.may_have_lost
    driver.go_on(adopted)

    assert adopted.node.id == "b"
    assert driver.engine.adopt() == []
    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.types(run).count("NodeCompleted") == 3


def test_what_is_under_way_is_never_adopted(driver: Driver) -> None:
    driver.start(CHAIN)
    driver.claim(CHAIN)

    assert driver.engine.adopt() == []


def test_a_result_survives_a_decision_that_raises_and_the_run_is_suspended(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)

    def broken(*_: object) -> None:
        raise RecursionError("decide is broken")

    monkeypatch.setattr("nexum.core.run.advance.decide", broken)
    assert driver.engine.finish(work, driver.execute(work)) is None

    assert driver.types(run)[-2:] == ["NodeCompleted", "RunSuspended"]
    assert driver.state(run).suspended


def test_a_late_start_is_an_attempt_that_failed(driver: Driver) -> None:
    g = graph(compute("a", "input", timeouts=TimeoutPolicy(schedule_to_start=1), retry=RetryPolicy(max_attempts=1)))
    run = driver.start(g).run_id

    driver.sweep()

    state = driver.state(run)
    assert state.phase is Phase.FAILED
    assert state.cause_error is not None
    assert state.cause_error.code == "NX-R203"


def test_a_timer_that_fell_due_ends_a_pure_node(driver: Driver) -> None:
    g = graph(compute("a", "input", timeouts=TimeoutPolicy(schedule_to_close=1)))
    run = driver.start(g).run_id
    (work,) = driver.claim(g)

    driver.sweep()

    assert driver.state(run).phase is Phase.FAILED
    assert driver.engine.finish(work, driver.execute(work)) is None
    assert driver.types(run)[-1] == "RunFailed"


def test_a_large_payload_is_a_blob_and_the_event_carries_its_hash(driver: Driver) -> None:
    g = graph(compute("a", "input"), compute("b", "a"))
    driver.handlers["a"] = lambda work: "x" * 20_000
    driver.handlers["b"] = lambda work: len(dict(work.inputs)["a"] or b"")
    run = driver.start(g).run_id

    driver.play(g)

    rows = driver.events(run)
    assert driver.state(run).phase is Phase.COMPLETED
    assert max(len(row.body) + len(row.payload) for row in rows) < 2_000
    assert driver.output(run, "b") == b"20002"


def test_a_condition_reads_a_payload_that_only_the_store_has(driver: Driver, another: Callable[[str], Driver]) -> None:
    g = graph(compute("a", "input"), compute("b", "input"), compute("c", "b", when="size(a) > 10"), result=("c",))
    driver.handlers["a"] = lambda work: "x" * 20_000
    run = driver.start(g).run_id
    (first,) = driver.claim(g, 1)
    other = another("s2")
    (second,) = other.claim(g)
    driver.go_on(first)

    other.go_on(second)
    other.play(g)

    assert other.state(run).phase is Phase.COMPLETED
    assert [call.node.id for call in other.calls] == ["b", "c"]


def test_a_snapshot_and_the_rest_give_the_same_state(driver: Driver) -> None:
    nodes = [compute("n0", "input")] + [compute(f"n{i}", f"n{i - 1}") for i in range(1, 130)]
    g = graph(*nodes)
    run = driver.start(g).run_id

    driver.play(g)
    other = Driver(driver.store, session="s9")
    (again,) = [other.start(g, 2)]
    stopped: list[Work] = other.claim(g)
    for _ in range(110):
        following = other.engine.finish(stopped[0], other.execute(stopped[0]))
        assert following is not None
        stopped = [following]

    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.store.snapshot(again.run_id) is not None
    known = load(driver.store, driver.engine.graphs, again.run_id)
    assert known is not None
    assert known.state == other.engine._memory.get(again.run_id).state  # type: ignore[union-attr]


def test_a_task_outlives_more_deaths_of_machines_than_of_its_own_process(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    g = graph(compute("a", "input"))
    run = driver.start(g).run_id
    for n in range(4):
        victim = another(f"v{n}")
        assert len(victim.claim(g)) == 1
        victim.store.end_session(f"v{n}", proof=f"{SILENCE}a scheduler watched")
        driver.sweep(poison_after=3)

    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED


class _Away:
    """A store that answers reads and takes no result."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False

    def __getattr__(self, name: str) -> object:
        if self.away and name in ("step", "record"):
            return self._refuse
        return getattr(self._store, name)

    def _refuse(self, *_: object) -> None:
        raise UnavailableError("the connection was lost", code="NX-S102")


def test_an_effect_whose_result_could_not_be_recorded_is_not_adopted_and_sent_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = _Away(store)
    driver = Driver(away)  # type: ignore[arg-type]
    g = graph(effect("pay", "input", doubt=Hold()))
    run = driver.start(g).run_id
    (work,) = driver.claim(g)
    monkeypatch.setattr("nexum.engine.patience.PATIENCE", 0.0)
    away.away = True
    with pytest.raises(UnavailableError):
        driver.engine.finish(work, Succeeded(b'"paid"'))

    assert driver.engine.adopt() == []
    away.away = False
    driver.engine.finish(work, Succeeded(b'"paid"'))

    assert driver.state(run).phase is Phase.COMPLETED
