"""Runs that meet over one business key: who sends, who waits, who takes over, on every store."""

from __future__ import annotations

from collections.abc import Callable

from doubtful import PAY, asked, in_doubt, serve, shop
from engine_driver import Driver
from graphs import params
from nexum.client.doubts import Decision, resolve
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.workflow import Graph
from nexum.core.run.codec import decode
from nexum.core.run.events import EffectInDoubt, NodeCompleted
from nexum.core.run.state import CellStatus, Phase
from nexum.readouts.run import read_run
from nexum.store.api import Store
from nexum.store.verbs import Verbs
from store_tables import rows_of, spoil_blobs

KEYED = shop(key="input.order")
ORDER = {"order": "o-1"}


def test_the_result_of_another_run_is_taken_and_that_run_is_named(driver: Driver) -> None:
    driver.handlers = {"pay": lambda work: {"id": "re_1", "amount": 5}, "mail": lambda work: "sent"}
    first = driver.start(KEYED, ORDER, "k1").run_id
    driver.play(KEYED)

    second = driver.start(KEYED, ORDER, "k2").run_id
    driver.play(KEYED)

    (row,) = [row for row in driver.events(second) if row.type == "NodeCompleted" and row.path == "pay"]
    body = decode(row.type, PAY, row.body)
    assert isinstance(body, NodeCompleted)
    assert (body.by, body.source, body.reference) == ("reuse", first, "")
    assert [call.node.id for call in driver.calls].count("pay") == 1


def test_an_act_of_another_input_under_the_key_is_an_error_that_names_the_other_run(driver: Driver) -> None:
    driver.handlers = {"pay": lambda work: {"id": "re_1", "amount": 5}, "mail": lambda work: "sent"}
    first = driver.start(KEYED, ORDER, "k1").run_id
    driver.play(KEYED)

    second = driver.start(KEYED, {"order": "o-1", "amount": 7}, "k2").run_id
    driver.play(KEYED)

    error = driver.state(second).cause_error
    assert error is not None
    assert (error.code, f"{first}/pay" in error.message) == ("NX-E205", True)
    assert len(driver.calls) == 2


def test_a_result_that_does_not_fit_the_node_is_not_taken_and_nothing_is_sent(driver: Driver) -> None:
    note = Effect(
        id="note",
        handler=Handler(ref="m:note"),
        output={"type": "string"},
        params=params(("input",)),
        tool="pay",
        key="input.order",
    )
    other = Graph(workflow="Notes", input={}, nodes=(note,), result=("note",))
    driver.handlers = {"pay": lambda work: {"id": "re_1", "amount": 5}, "mail": lambda work: "sent"}
    first = driver.start(KEYED, ORDER, "k1").run_id
    driver.play(KEYED)

    second = driver.start(other, ORDER, "k2").run_id
    driver.play(other)

    error = driver.state(second).cause_error
    assert error is not None
    assert error.code == "NX-E207"
    assert f"note may not take what {first}/pay left under its business key: $" in error.message
    assert driver.state(second).phase is Phase.FAILED
    assert [call.node.id for call in driver.calls] == ["pay", "mail"]
    (row,) = rows_of(driver.store, "nexum_effects")
    assert (row["run_id"], row["state"]) == (first, "APPLIED")


def test_a_run_whose_result_to_take_is_damaged_stops_alone(store: Store) -> None:
    first, second = Driver(store, inline_max=0), Driver(store, session="s2")
    first.handlers = {"pay": lambda work: {"id": "re_1", "amount": 5}, "mail": lambda work: "sent"}
    first.start(KEYED, ORDER, "k1")
    first.play(KEYED)
    spoil_blobs(store)

    run = second.start(KEYED, ORDER, "k2").run_id
    second.play(KEYED)

    assert second.state(run).suspended
    assert b"NX-S101" in second.events(run)[-1].body
    assert second.calls == []


def test_whoever_meets_a_key_that_was_given_up_is_in_doubt_and_can_be_resolved(driver: Driver) -> None:
    first = in_doubt(driver, KEYED, ORDER, "k1")
    resolve(driver.store, Decision(first, PAY, "abandon", "mika", "the provider is gone"))
    driver.handlers["pay"] = lambda work: {"id": "re_9", "amount": 9}

    second = driver.start(KEYED, ORDER, "k2").run_id
    driver.play(KEYED)

    assert driver.state(second).cells[PAY].status is CellStatus.IN_DOUBT
    (row,) = [row for row in driver.events(second) if row.type == "EffectInDoubt"]
    body = decode(row.type, PAY, row.body)
    assert isinstance(body, EffectInDoubt)
    assert body.evidence.startswith(f"{first}/pay held this business key")
    assert (body.proof, body.quiet_from > driver.store.now()) == ("expired", True)

    resolve(driver.store, Decision(second, PAY, "did_not_happen", "mika", "nothing in the console"))
    driver.play(KEYED)
    assert driver.state(second).phase is Phase.COMPLETED
    assert [call.node.id for call in driver.calls].count("pay") == 2
    (effect,) = rows_of(driver.store, "nexum_effects")
    assert (effect["state"], effect["run_id"]) == ("APPLIED", second)


def test_an_inherited_doubt_is_asked_about_like_ones_own(driver: Driver) -> None:
    g = asked(key="input.order")
    first = in_doubt(driver, shop(key="input.order"), ORDER, "k1")
    resolve(driver.store, Decision(first, PAY, "abandon", "mika", "the provider is gone"))

    second = driver.start(g, ORDER, "k2").run_id
    driver.play(g)

    state = driver.state(second)
    asking = state.cells[PAY._replace(path="pay/reconcile.1")]
    assert asking.not_before == state.cells[PAY].quiet_from


def test_who_waits_for_whom_is_said(driver: Driver, another: Callable[[str], Driver]) -> None:
    first = in_doubt(driver, KEYED, ORDER, "k1")
    second = driver.start(KEYED, ORDER, "k2").run_id
    heir = another("s2")
    heir.play(KEYED)
    if not isinstance(driver.store, Verbs):  # pages read databases only
        assert driver.store.adopt("s2") == []
        return
    serve(driver, KEYED)

    found = read_run(driver.store, second, may_read=True)

    assert found is not None
    assert found.run.standing.code == "waiting"
    assert f"`pay` waits for key pay:o-1, held by run {first} (pay, for " in found.run.standing.sentence
    assert "in doubt there" in found.run.standing.sentence
    assert found.run.standing.commands == (f"nexum why {first}",)
