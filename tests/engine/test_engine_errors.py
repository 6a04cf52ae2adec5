"""What the engine says, and keeps, when a database holds what it must not hold."""

from __future__ import annotations

import pytest

from engine_driver import Driver
from graphs import compute, graph
from nexum.client.start import StartRequest, start
from nexum.core.canonical import from_bytes
from nexum.core.run.state import Phase
from nexum.engine.loading import load
from nexum.errors import ConflictError, InputError, InternalError, NexumError
from nexum.store.api import Mail, Store
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs

CHAIN = graph(compute("a", "input"), compute("b", "a"))


@pytest.fixture
def variant() -> dict[str, object]:
    """One is enough here: nothing below depends on how results travel."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql", "bare"])
def kind(request: pytest.FixtureRequest) -> str:
    """Databases only: what is wrong below is written in SQL."""
    return str(request.param)


def execute(store: Store, statement: str, **values: object) -> None:
    assert isinstance(store, Verbs)
    with store.database.transaction() as tx:
        tx.run(Statement(statement), **values)


def rows(store: Store, statement: str) -> list[tuple[object, ...]]:
    assert isinstance(store, Verbs)
    with store.database.once() as tx:
        return [tuple(row) for row in tx.rows(Statement(statement))]


@pytest.mark.parametrize(
    ("type_name", "body"), [("NodeExploded", b"{}"), ("NodeCompleted", b"{"), ("NodeCompleted", b"{}")]
)
def test_mail_that_cannot_be_read_is_buried_and_the_run_goes_on(driver: Driver, type_name: str, body: bytes) -> None:
    run = driver.start(CHAIN).run_id
    driver.store.post(Mail(run, "strange", type_name, body))

    driver.engine.drain(run)
    driver.play(CHAIN)

    ((error,),) = rows(driver.store, "SELECT error FROM nexum_inbox_dead")
    assert str(error).startswith("NX-X102")
    assert driver.state(run).phase is Phase.COMPLETED


def test_mail_after_the_end_is_a_late_arrival(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    driver.play(CHAIN)
    driver.store.post(Mail(run, "late", "CancelRequested", b'{"reason":"too late"}'))

    driver.engine.drain(run)

    assert rows(driver.store, "SELECT type FROM nexum_late_arrivals") == [("CancelRequested",)]
    assert not driver.store.has_mail(run)


def test_a_changed_event_breaks_the_chain_and_nothing_is_decided_from_it(driver: Driver) -> None:
    run = driver.start(CHAIN).run_id
    driver.play(CHAIN)
    execute(driver.store, "UPDATE nexum_events SET prev_hash = :zero WHERE seq = 3", zero=bytes(32))

    with pytest.raises(InternalError) as caught:
        load(driver.store, driver.engine.graphs, run)

    assert caught.value.code == "NX-S120"
    assert run in str(caught.value)


def test_a_suspension_carries_the_error_of_the_decision(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("nexum.core.run.advance.decide", broken)
    driver.engine.finish(work, driver.execute(work))

    suspended = driver.events(run)[-1]
    error = from_bytes(suspended.body)["error"]
    assert (suspended.type, error["code"], error["type"]) == ("RunSuspended", "NX-R406", "ZeroDivisionError")


def test_a_run_key_with_another_input_is_refused(driver: Driver) -> None:
    first = driver.start(CHAIN, 1, "k")

    with pytest.raises(ConflictError) as caught:
        driver.start(CHAIN, 2, "k")

    assert caught.value.code == "NX-R409"
    assert first.run_id in str(caught.value)
    assert driver.start(CHAIN, 1, "k") == first._replace(existing=True)


def test_an_unknown_workflow_names_what_is_known(store: Store, driver: Driver) -> None:
    driver.start(CHAIN)

    with pytest.raises(NexumError) as caught:
        start(store, StartRequest("Wrong", 1))

    assert caught.value.code == "NX-D201"
    assert "registered are W" in caught.value.message


def test_a_misspelt_workflow_is_answered_with_the_nearest_name(store: Store, driver: Driver) -> None:
    driver.start(CHAIN)

    with pytest.raises(NexumError) as caught:
        start(store, StartRequest("Ww", 1))

    assert caught.value.code == "NX-D201"
    assert caught.value.fixes[0] == "did you mean `W`?"


@pytest.mark.parametrize(
    ("value", "code"), [(float("nan"), "NX-R102"), ({"a": object()}, "NX-R102"), ("x" * 2_000, "NX-R103")]
)
def test_an_input_that_cannot_be_stored_is_refused_at_the_door(driver: Driver, value: object, code: str) -> None:
    driver.start(CHAIN)

    with pytest.raises(InputError) as caught:
        start(driver.store, StartRequest("W", value), max_payload=1_000)

    assert caught.value.code == code


def test_a_nul_in_an_input_is_stored_and_read_back(driver: Driver) -> None:
    driver.handlers["a"] = lambda work: from_bytes(dict(work.inputs)["input"] or b"")
    driver.handlers["b"] = lambda work: from_bytes(dict(work.inputs)["a"] or b"")
    run = driver.start(CHAIN, "a\x00b").run_id

    driver.play(CHAIN)

    assert driver.state(run).phase is Phase.COMPLETED
    assert driver.output(run, "b") == b'"a\\u0000b"'
