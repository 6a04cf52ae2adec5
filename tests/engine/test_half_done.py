"""An effect that makes several calls and ends after some of them: the world was touched, and is put back, or the run says not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from calldesk import ACTS, NOW, SENT, Desk, Order, Receipt, charge
from nexum.client.interventions import By, cancel, skip, terminate
from nexum.core.run.codec import decode
from nexum.core.run.events import Cell, RunCancelled, RunFailed, RunTerminated
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import Fail, InputError, NotSent
from nexum.readouts.run import read_run
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.context import Context
from nexum.sdk.io import IO
from nexum.sdk.policies import Retry
from nexum.sdk.workflow import Workflow
from nexum.store.api import Store
from nexum.store.verbs import Verbs
from nexum_workers.attempt import Attempts
from nexum_workers.early import Early
from nexum_workers.models.door import Door

PARKS = Retry(max_attempts=2, first_wait=timedelta(0), jitter=0, exhausted="park")
MIKA = By("mika", "withdrawn")
TOLD: list[tuple[Receipt | None, dict[str, Any]]] = []  # what the undo was told


def take_back(trip: Receipt | None, order: Order, ctx: Context) -> None:
    TOLD.append((trip, dict(ctx.calls)))
    for name, made in ctx.calls.items():
        SENT.append((f"undo {name} {made['id']} of {order.number}", ctx.idempotency_key))


def shout(order: str) -> str:
    return order.upper()


def flow(name: str, undo: Any = None) -> CompiledWorkflow[Order]:
    """A trip of two calls, and a node after it."""
    agent = Workflow(name, input=Order)

    def trip(order: Order, io: IO) -> Receipt:
        io.read(shout, order.number)
        first = io.call(charge, order.number, 1, name="first")
        ACTS["between"]()
        io.call(charge, order.number, 2, name="second")
        return first

    def after(trip: Receipt) -> int:
        return int(ACTS["after"](trip))

    agent.effect(tool="bank", retry=PARKS, compensate=undo)(trip)
    agent.compute(retry=NOW)(after)
    return agent.build()


UNDONE, LEFT = flow("Undone", take_back), flow("Left")
DONE = {"first": {"amount": 1, "id": "re_1"}}


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    for each in (SENT, ACTS, TOLD):
        each.clear()
    made = Desk(store)
    made.attempts = Attempts([UNDONE, LEFT], door=Door(), max_payload=10_000)
    yield made
    for each in (SENT, ACTS, TOLD):
        each.clear()


def trip_names() -> dict[str, Any]:
    """The names that the handlers of this module see."""
    return globals()


def fails(*_: object, **__: object) -> int:
    raise Fail("no more")


def end_of(desk: Desk, run: str) -> Any:
    row = desk.events(run)[-1]
    return decode(row.type, Cell("", 0), row.body)


def sentence(desk: Desk, run: str) -> str:
    store = desk.driver.store
    assert isinstance(store, Verbs)
    found = read_run(store, run, may_read=True)
    assert found is not None
    return found.run.standing.sentence


def test_what_an_effect_did_before_it_failed_is_undone_with_what_its_calls_returned(desk: Desk) -> None:
    ACTS.update(between=fails)
    run = desk.start(UNDONE)
    desk.play(UNDONE)

    assert TOLD == [(None, DONE)]  # what was only read is no call
    assert [act for act, _ in SENT] == ["charge o-1 1", "undo first re_1 of o-1"]
    end = end_of(desk, run)
    assert isinstance(end, RunFailed)
    assert (end.undone, end.left, end.cell) == ("all", (), Cell("trip"))
    assert desk.status(run, "trip/undo") is CellStatus.COMPLETED
    assert all(deed.undone for deed in desk.driver.state(run).ledger.values() if deed.cell.path == "trip/io.first")


def test_an_effect_that_failed_before_its_first_call_is_not_undone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IO, "call", fails)
    run = desk.start(UNDONE)
    desk.play(UNDONE)

    assert (TOLD, end_of(desk, run).undone) == ([], "")


def test_the_undo_of_a_whole_success_is_told_its_result_and_all_its_calls(desk: Desk) -> None:
    ACTS.update(between=lambda: None, after=fails)
    run = desk.start(UNDONE)
    desk.play(UNDONE)

    assert [(Receipt(id="re_1", amount=1), {**DONE, "second": {"amount": 2, "id": "re_2"}})] == TOLD
    assert end_of(desk, run).undone == "all"


def test_calls_that_nobody_undoes_stand_in_the_end_of_the_run_and_in_its_standing(desk: Desk) -> None:
    ACTS.update(between=fails)
    run = desk.start(LEFT)
    desk.play(LEFT)

    end = end_of(desk, run)
    assert (end.undone, end.left) == ("", (Cell("trip/io.first"),))
    if isinstance(desk.driver.store, Verbs):  # pages read databases only
        assert "Made and left as it is: `trip/io.first`." in sentence(desk, run)


def test_a_run_that_is_cancelled_undoes_the_calls_of_an_effect_that_was_to_be_made_again(desk: Desk) -> None:
    def down() -> None:
        cancel(desk.driver.store, run, MIKA)
        raise RuntimeError("down")

    ACTS.update(between=down)
    run = desk.start(UNDONE)
    desk.play(UNDONE)

    end = end_of(desk, run)
    assert isinstance(end, RunCancelled)
    assert (end.undone, TOLD) == ("all", [(None, DONE)])


def test_a_doubt_about_a_call_is_resolved_first_and_what_happened_is_told_to_the_undo(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(order: str, amount: int) -> Receipt:
        if amount == 2:
            raise TimeoutError
        return charge(order, amount)

    ACTS.update(between=lambda: monkeypatch.setitem(trip_names(), "charge", lost))
    run = desk.start(UNDONE)
    desk.play(UNDONE)
    cancel(desk.driver.store, run, MIKA)
    assert desk.status(run, "trip/io.second") is CellStatus.IN_DOUBT
    assert desk.driver.state(run).phase is Phase.CLOSING
    assert TOLD == []

    with pytest.raises(InputError) as refused:
        desk.resolve(run, "trip/io.second", "happened", response={"amount": float("nan")})
    desk.resolve(run, "trip/io.second", "happened", response={"id": "re_7"})
    desk.play(UNDONE)

    assert refused.value.code == "NX-E402"
    assert TOLD == [(None, {**DONE, "second": {"id": "re_7"}})]
    assert end_of(desk, run).undone == "all"


def test_a_value_in_place_of_a_half_done_effect_does_not_hide_its_calls(desk: Desk) -> None:
    def down() -> None:
        raise NotSent("down")

    ACTS.update(between=down, after=fails)
    run = desk.start(UNDONE)
    desk.play(UNDONE)
    assert desk.status(run, "trip") is CellStatus.PARKED
    skip(desk.driver.store, run, Cell("trip"), MIKA, value={"id": "by hand"})
    desk.play(UNDONE)

    assert TOLD == [(None, DONE)]
    assert end_of(desk, run).undone == "all"


def left_open(desk: Desk) -> tuple[str, Desk]:
    """A run whose worker died after sending a call, and whose task was given back; and another worker."""
    ACTS.update(between=lambda: None)
    run = desk.start(UNDONE)
    work = desk.begin(UNDONE)
    journal = Early(desk.driver.engine, work, inline_max=1_000).journal()
    assert journal.claim("first", "", policy="hold", ttl=0).state == ""
    desk.die()
    other = Desk(desk.driver.store, "s2")
    other.attempts = desk.attempts
    return run, other


@pytest.mark.parametrize("taken", [False, True])
def test_a_run_that_is_cancelled_over_a_call_of_a_dead_process_is_in_doubt_about_it(desk: Desk, taken: bool) -> None:
    run, other = left_open(desk)
    if taken:  # asked to stop while a worker has it, which dies before it could answer
        other.driver.store.claim("s2", [UNDONE.graph.queue], 1)
    cancel(desk.driver.store, run, MIKA)
    if taken:
        other.die()
        third = Desk(desk.driver.store, "s3")
        assert third.driver.claim(UNDONE.graph) == []
    assert (desk.status(run, "trip"), desk.status(run, "trip/io.first")) == (CellStatus.IN_DOUBT,) * 2
    assert desk.driver.state(run).phase is Phase.CLOSING

    desk.resolve(run, "trip/io.first", "happened", response={"id": "re_7"})

    assert desk.status(run, "trip") is CellStatus.CANCELLED
    other = Desk(desk.driver.store, "s4")
    other.attempts = desk.attempts
    other.play(UNDONE)
    assert TOLD == [(None, {"first": {"id": "re_7"}})]
    assert end_of(desk, run).undone == "all"


def test_a_terminated_run_says_that_a_call_of_a_dead_process_was_under_way(desk: Desk) -> None:
    run, _ = left_open(desk)

    terminate(desk.driver.store, run, MIKA)

    end = end_of(desk, run)
    assert isinstance(end, RunTerminated)
    assert end.in_flight == (Cell("trip"),)
