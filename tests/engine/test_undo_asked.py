"""An undo in doubt is asked about like any other effect, under its own key; on every store."""

from __future__ import annotations

from doubtful import ABSENT, LOST, ONE_ATTEMPT
from engine_driver import Driver
from graphs import compute, graph, params
from nexum.core.graph.nodes import Compensation, Effect, Handler, Reconciliation
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed, Succeeded

UNDO, ASKING = Cell("book/undo"), Cell("book/undo/reconcile.1")


def trip() -> Graph:
    """A booking whose undo can be asked about, and a node that fails after it."""
    asked = Reconciliation(handler=Handler(ref="m:find"), params=params(("input",)), settle=0, gap=0, retry=ONE_ATTEMPT)
    undo = Compensation(
        handler=Handler(ref="m:cancel"),
        params=params(("input", "book")),
        output={},
        tool="cancel",
        reconcile=asked,
        retry=ONE_ATTEMPT,
    )
    book = Effect(
        id="book", handler=Handler(ref="m:book"), params=params(("input",)), output={}, tool="book", compensate=undo
    )
    return graph(book, compute("pay", "book"))


def failing(driver: Driver, answer: Succeeded, *undone: object) -> str:
    """A run that books, fails and undoes; the undo ends as given, then succeeds."""
    left = list(undone)
    driver.handlers["book"] = lambda work: "b-1"
    driver.handlers["pay"] = lambda work: Failed(Error("NX-R211", "no money"))
    driver.handlers["book/undo"] = lambda work: left.pop(0) if left else "cancelled"
    driver.handlers["book/undo/reconcile"] = lambda work: answer
    run = driver.start(trip()).run_id
    driver.play(trip())
    return run


def test_an_undo_that_is_found_to_have_happened_is_not_done_again(driver: Driver) -> None:
    run = failing(driver, Succeeded(b'"cancelled"', answer="found"), LOST)

    state = driver.state(run)
    assert (state.phase, state.cells[UNDO].status) == (Phase.FAILED, CellStatus.COMPLETED)
    assert [call.node.id for call in driver.calls] == ["book", "pay", "book/undo", "book/undo/reconcile"]
    undo, asking = driver.calls[2:]
    assert asking.key == undo.key != driver.calls[0].key
    assert asking.inputs == undo.inputs[:1]
    assert state.cells[ASKING].status is CellStatus.COMPLETED


def test_an_undo_that_its_provider_has_twice_not_seen_is_sent_once_more_under_its_key(driver: Driver) -> None:
    run = failing(driver, ABSENT, LOST)

    undos = [call for call in driver.calls if call.node.id == "book/undo"]
    assert driver.state(run).phase is Phase.FAILED
    assert driver.state(run).cells[UNDO].status is CellStatus.COMPLETED
    assert len(undos) == 2
    assert len({(call.key, call.inputs) for call in undos}) == 1
    assert [call.node.id for call in driver.calls].count("book/undo/reconcile") == 2
