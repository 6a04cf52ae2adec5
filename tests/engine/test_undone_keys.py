"""An act under a business key that its run takes back: nobody else gets its result, and nobody undoes what another has taken."""

from __future__ import annotations

import pytest

from engine_driver import Driver
from graphs import compute, graph, params, undone_by
from nexum.client.interventions import By, fail, retry
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run.events import Cell, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed
from nexum.store.api import Store
from store_tables import rows_of

UNDO = Cell("book/undo")
MIKA = By("mika", "the customer was asked")
BOOK = Effect(
    id="book",
    handler=Handler(ref="m:book"),
    output={},
    params=params(("input",)),
    tool="air",
    key="input.order",
    compensate=undone_by("book", retry=RetryPolicy(max_attempts=1)),
)
TRIP = graph(BOOK, compute("check", "book"))


REFUSED = Failed(Error("NX-R210", "the card was declined"))


@pytest.fixture
def driver(driver: Driver) -> Driver:
    driver.handlers = {"book": lambda work: {"id": "F1"}, "book/undo": lambda work: None}
    return driver


def play(driver: Driver, run_key: str, check: object = 1, order: object = "o-1") -> str:
    """A run to its end; `check` is what the node after the booking gives."""
    driver.handlers["check"] = lambda work: check
    run = driver.start(TRIP, {"order": order}, run_key).run_id
    driver.play(TRIP)
    return run


def taken(driver: Driver) -> tuple[str, str]:
    """A run that has to undo its booking, and another one that has taken it."""
    first = driver.start(TRIP, {"order": "o-1"}, "k1").run_id
    (book,) = driver.claim(TRIP)
    driver.engine.finish(book, driver.execute(book), keep=False)
    (check,) = driver.claim(TRIP)
    second = play(driver, "k2")
    driver.engine.finish(check, REFUSED, keep=False)
    driver.play(TRIP)
    return first, second


def acts(driver: Driver) -> list[tuple[str, str]]:
    return [(call.node.id, call.task.run_id) for call in driver.calls if call.node.id != "check"]


def deed(store: Store) -> tuple[object, ...]:
    (row,) = [row for row in rows_of(store, "nexum_effects") if row["path"] == "book"]
    return row["state"], row["undo_from"] > 0, row["taken_by"]


def error_of(driver: Driver, run: str, cell: Cell) -> Error:
    error = driver.state(run).cells[cell].error
    assert error is not None
    return error


@pytest.mark.parametrize("amount", [None, 7])
def test_nobody_gets_the_result_of_an_act_that_was_undone(driver: Driver, amount: int | None) -> None:
    first = play(driver, "k1", REFUSED)
    assert (driver.state(first).phase, deed(driver.store)) == (Phase.FAILED, ("APPLIED", True, ""))

    more = {} if amount is None else {"amount": amount}
    second = driver.start(TRIP, {"order": "o-1", **more}, "k2").run_id
    driver.play(TRIP)

    error = error_of(driver, second, Cell("book"))
    assert (error.code, driver.state(second).phase) == ("NX-E208", Phase.FAILED)
    assert error.message.startswith(f"{first}/book did book under this business key and began to undo it at 20")
    assert acts(driver) == [("book", first), ("book/undo", first)]
    assert driver.state(first).ledger


def test_another_key_goes_its_own_way(driver: Driver) -> None:
    play(driver, "k1", REFUSED)

    assert driver.state(play(driver, "k2", order="o-2")).phase is Phase.COMPLETED


def test_nobody_gets_a_result_while_its_undo_is_under_way_or_parked(driver: Driver) -> None:
    driver.handlers["book/undo"] = lambda work: Failed(Error("NX-R210", "not now"))
    first = play(driver, "k1", REFUSED)
    assert driver.state(first).cells[UNDO].status is CellStatus.PARKED

    second = play(driver, "k2")

    assert error_of(driver, second, Cell("book")).code == "NX-E208"


def test_an_act_whose_undo_was_given_up_stands_for_others_again(driver: Driver) -> None:
    driver.handlers["book/undo"] = lambda work: Failed(Error("NX-R210", "not now"))
    first = play(driver, "k1", REFUSED)
    fail(driver.store, first, UNDO, MIKA)

    second = play(driver, "k2")

    assert driver.state(second).phase is Phase.COMPLETED
    assert deed(driver.store) == ("APPLIED", False, f"{second}/book")
    assert driver.output(second, "book") == driver.output(first, "book")


def test_what_another_run_has_taken_is_undone_by_a_persons_word_only(driver: Driver) -> None:
    first, second = taken(driver)

    assert driver.state(second).phase is Phase.COMPLETED
    assert (driver.state(first).phase, driver.state(first).cells[UNDO].status) == (Phase.CLOSING, CellStatus.PARKED)
    error = error_of(driver, first, UNDO)
    assert (error.code, f"{second}/book has taken the result of book" in error.message) == ("NX-E302", True)
    assert acts(driver) == [("book", first)]

    retry(driver.store, first, UNDO, MIKA)
    driver.play(TRIP)

    assert acts(driver) == [("book", first), ("book/undo", first)]
    assert driver.state(first).phase is Phase.FAILED
    assert error_of(driver, play(driver, "k3"), Cell("book")).code == "NX-E208"


def test_what_another_run_relies_on_may_be_left_done(driver: Driver) -> None:
    first, second = taken(driver)

    fail(driver.store, first, UNDO, MIKA)

    assert driver.state(first).phase is Phase.FAILED
    assert deed(driver.store) == ("APPLIED", False, f"{second}/book")
    assert driver.state(play(driver, "k3")).phase is Phase.COMPLETED


@pytest.mark.parametrize("asked", ["undone", "taken"])
def test_a_claim_whose_answer_was_lost_is_told_the_same(direct: Driver, asked: str) -> None:
    direct.handlers = {"book": lambda work: {"id": "F1"}, "book/undo": lambda work: None}
    if asked == "taken":
        first = direct.start(TRIP, {"order": "o-1"}, "k1").run_id
        (book,) = direct.claim(TRIP)
        direct.engine.finish(book, direct.execute(book), keep=False)
        (check,) = direct.claim(TRIP)
        play(direct, "k2")
        direct.engine.finish(check, REFUSED, keep=False)
    else:
        play(direct, "k1", REFUSED)
        first = direct.start(TRIP, {"order": "o-1"}, "k2").run_id
    (lost,) = direct.store.claim(direct.session, [TRIP.queue], 1)

    assert direct.engine.adopt() == []

    (cell, code) = (UNDO, "NX-E302") if asked == "taken" else (Cell("book"), "NX-E208")
    assert lost.effect == asked
    assert error_of(direct, first, cell).code == code
