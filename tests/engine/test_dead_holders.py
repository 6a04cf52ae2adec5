"""What a process leaves behind that died, or was cut off, between a claim and its report; found by the simulator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine_driver import Driver
from graphs import compute, graph, params
from nexum.broker.doorbell import NullDoorbell
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import SECOND, Dedupes, Hold, RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested, Cell, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.engine import Engine
from nexum.engine.reports import outcome_report, record_of
from nexum.engine.work import Failed, Succeeded
from nexum.errors import UnavailableError
from nexum.store.api import Mail, Store
from nexum.store.memory import MemoryStore

PAY = Cell("pay")
REFUSED = Failed(Error("NX-R212", "nobody listens there", retryable=False), sent="no")
Other = Callable[[str], Driver]


def shop(**more: object) -> Graph:
    options: dict[str, object] = {"doubt": Dedupes(ttl=3_600 * SECOND), "retry": RetryPolicy(max_attempts=1), **more}
    return graph(
        Effect(id="pay", handler=Handler(ref="m:pay"), output={}, params=params(("input",)), tool="pay", **options)
    )  # type: ignore[arg-type]


def cancel(driver: Driver, run: str) -> None:
    driver.store.post(Mail(run, "cancel|test", "CancelRequested", encode_mail(CancelRequested("enough")), priority=-1))
    driver.engine.drain(run)


def left_by_a_dead_process(driver: Driver, g: Graph, another: Other) -> str:
    """A run whose payment a process had in hand when it was killed; its task is READY again."""
    run = driver.start(g).run_id
    (_,) = driver.claim(g)
    driver.store.end_session("s1", proof="killed")
    another("sweeping").sweep()
    return run


def test_that_an_heir_sent_nothing_does_not_prove_that_the_dead_process_did_not(driver: Driver, another: Other) -> None:
    g = shop()
    run = left_by_a_dead_process(driver, g, another)
    heir = another("heir")
    heir.handlers["pay"] = lambda work: REFUSED

    heir.play(g)

    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT


def test_an_effect_that_a_dead_process_had_in_hand_is_in_doubt_when_its_run_is_cancelled(
    driver: Driver, another: Other
) -> None:
    g = shop()
    run = left_by_a_dead_process(driver, g, another)
    heir = another("heir")

    cancel(heir, run)
    heir.play(g)

    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    assert heir.calls == []


def test_an_effect_whose_result_is_on_its_way_is_not_stopped_as_if_it_had_never_begun(
    driver: Driver, another: Other, store: Store
) -> None:
    g = shop()
    run = driver.start(g).run_id
    (zombie,) = driver.claim(g)
    store.end_session("s1", proof="believed dead")
    other = another("other")
    other.sweep()
    report = outcome_report(
        store, zombie.task, zombie.token, Succeeded(b'"paid"'), tenant=zombie.tenant, key=zombie.key
    )
    assert store.record(record_of(report, session="s1", trace="", at=store.now())).recorded

    cancel(other, run)

    state = other.state(run)
    assert (state.phase, state.suspended) == (Phase.CANCELLED, False)
    assert state.cells[PAY].status is CellStatus.COMPLETED


def test_what_began_and_was_given_back_by_death_is_no_late_start(driver: Driver, another: Other) -> None:
    g = shop(timeouts=TimeoutPolicy(schedule_to_start=1))
    run = driver.start(g).run_id
    (_,) = driver.claim(g)
    driver.store.end_session("s1", proof="killed")
    other = another("other")
    other.sweep()
    other.sweep()

    other.play(g)

    assert other.state(run).phase is Phase.COMPLETED
    assert len(other.calls) == 1


def test_what_a_dead_process_had_reported_is_folded_before_anything_is_given_back(
    driver: Driver, another: Other, store: Store
) -> None:
    g = shop()
    run = driver.start(g).run_id
    (work,) = driver.claim(g)
    report = outcome_report(store, work.task, work.token, REFUSED, tenant=work.tenant, key=work.key)
    assert store.record(record_of(report, session="s1", trace="", at=store.now())).recorded
    store.end_session("s1", proof="killed")
    heir = another("heir")

    heir.sweep()
    heir.play(g)

    assert heir.calls == []
    assert heir.state(run).phase is Phase.FAILED


def test_a_dead_holder_of_another_runs_result_gives_its_task_back(driver: Driver, another: Other) -> None:
    g = shop(key="input.order", doubt=Hold())
    driver.handlers["pay"] = lambda work: "paid"
    first = driver.start(g, {"order": 7}).run_id
    driver.play(g)
    second = driver.start(g, {"order": 7}).run_id
    (claimed,) = driver.store.claim("s1", [g.queue], 1)
    driver.store.end_session("s1", proof="killed")
    other = another("other")

    other.sweep()
    other.play(g)

    assert claimed.effect == "reuse"
    assert other.state(second).phase is Phase.COMPLETED
    assert other.output(second, "pay") == other.output(first, "pay")
    assert other.calls == []


class _Cut:
    """A store whose verbs in `broken` fail once: `before` they are executed, or after."""

    def __init__(self, store: Store, *broken: str, before: bool = True) -> None:
        self._store, self._broken, self._before = store, list(broken), before

    def __getattr__(self, name: str) -> object:
        verb = getattr(self._store, name)
        if name not in self._broken:
            return verb

        def cut(*args: object, **options: object) -> object:
            self._broken.remove(name)
            if not self._before:
                verb(*args, **options)
            raise UnavailableError("the connection broke", code="NX-S102")

        return cut


def test_a_claim_whose_inputs_could_not_be_read_is_adopted(store: Store) -> None:
    driver = Driver(store, inline_max=0)
    g = graph(compute("a", "input"))
    run = driver.start(g).run_id
    (claimed,) = store.claim("s1", [g.queue], 1)
    driver.engine.store = _Cut(store, "blob")  # type: ignore[assignment]

    with pytest.raises(UnavailableError):
        driver.engine.begin(claimed)
    (adopted,) = driver.engine.adopt()
    driver.go_on(adopted)

    assert driver.state(run).phase is Phase.COMPLETED


def test_a_claim_that_is_lost_while_another_is_adopted_is_adopted_next(store: Store) -> None:
    driver = Driver(store)
    pay = shop(key="input.order", doubt=Hold()).nodes[0]
    g = graph(pay, compute("a", "pay"))
    driver.handlers |= {"pay": lambda work: "paid", "a": lambda work: "done"}
    driver.start(g, {"order": 7})
    driver.play(g)
    run = driver.start(g, {"order": 7}).run_id
    store.claim("s1", [g.queue], 1)  # its answer, which was to reuse the first run's result, never arrives
    driver.engine.store = _Cut(store, "step", before=False)  # type: ignore[assignment]

    assert driver.engine.adopt() == []
    assert driver.engine.may_have_lost
    (adopted,) = driver.engine.adopt()
    driver.go_on(adopted)

    assert driver.state(run).phase is Phase.COMPLETED


@pytest.mark.parametrize("verb", ["step", "blob"])
def test_the_engine_says_when_a_claim_may_have_been_missed(store: Store, verb: str) -> None:
    driver = Driver(store, inline_max=0)
    g = graph(compute("a", "input"), compute("b", "a"))
    run = driver.start(g).run_id
    (work,) = driver.claim(g)
    driver.engine._memory.get(run).payloads.clear()  # type: ignore[union-attr]
    driver.engine.store = _Cut(store, verb, before=verb == "blob")  # type: ignore[assignment]

    assert not driver.engine.may_have_lost
    try:
        driver.engine.finish(work, Succeeded(b"2"))
    except UnavailableError:
        driver.engine.finish(work, Succeeded(b"2"))
    missed = driver.engine.may_have_lost
    (adopted,) = driver.engine.adopt()

    assert missed
    assert adopted.node.id == "b"
    assert not driver.engine.may_have_lost


def test_what_was_recorded_while_somebody_else_held_the_run_is_not_executed_again(
    store: Store, opens: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexum.engine.patience.PATIENCE", 0.0)
    driver = Driver(store)
    g = graph(compute("a", "input"))
    run = driver.start(g).run_id
    (work,) = driver.claim(g)
    driver.engine._memory.forget(run)  # as after a slow path: the result is recorded alone

    busy = _Busy(store)
    driver.engine.store = busy  # type: ignore[assignment]
    assert driver.engine.finish(work, Succeeded(b"2")) is None

    assert busy.asked
    assert driver.engine.adopt() == []
    Engine(opens(), session="s2", doorbell=NullDoorbell()).drain(run)
    assert driver.state(run).phase is Phase.COMPLETED


class _Busy(_Cut):
    """A store where somebody else holds the run that is to be drained."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked = 0

    def drain(self, run_id: str, *, wait: bool) -> object:
        """Refuse, as after a lock time-out."""
        self.asked += 1
        raise UnavailableError(f"somebody else holds run {run_id}", code="NX-S104")


@pytest.mark.parametrize(("minutes", "sent"), [(47, 2), (49, 1)])
def test_what_a_dead_process_may_have_sent_is_sent_again_within_four_fifths_of_its_keys_life(
    minutes: int, sent: int
) -> None:
    now = [1_790_000_000 * SECOND]
    store, g = MemoryStore(lambda: now[0]), shop()
    driver, heir = Driver(store, session="s1"), Driver(store, session="heir")
    run = driver.start(g).run_id
    (_,) = driver.claim(g)
    now[0] += minutes * 60 * SECOND
    store.end_session("s1", proof="killed")

    heir.sweep()
    heir.play(g)

    assert 1 + len(heir.calls) == sent
    assert (heir.state(run).phase is Phase.COMPLETED) == (sent == 2)
    assert sent == 2 or heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT
