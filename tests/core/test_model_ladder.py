"""A language model's cell climbs: repair rounds, retries, the next model, failure."""

from __future__ import annotations

import random

from graphs import World, graph, params
from nexum.core.graph.nodes import Handler, Llm
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run.events import AttemptFailed, Cell, Error, NodeCompleted, RetryScheduled
from nexum.core.run.plan import plan_of
from nexum.core.run.state import CellStatus, Phase

VERDICT = Cell("verdict")
BROKEN = Error("NX-L210", "score: wanted integer, got 'high'", retryable=True)
BUSY = Error("NX-L201", "429", retryable=True)


def asked(models: tuple[str, ...] = ("a",), repair: int = 2, attempts: int = 2) -> World:
    node = Llm(
        id="verdict",
        handler=Handler(ref="m:verdict"),
        output={},
        params=params(("input",)),
        models=models,
        repair=repair,
        retry=RetryPolicy(max_attempts=attempts, jitter=0.0),
    )
    return World(plan_of(graph(node)), random.Random(0))


def invalid(world: World, cell: Cell) -> None:
    attempt = world.state.cells[cell].attempt
    world.send(AttemptFailed(cell, attempt, BROKEN, repairable=True, raw=world.keep(f"raw of {cell.path}")))


def busy(world: World, cell: Cell, retry_after: int = 0) -> None:
    world.send(AttemptFailed(cell, world.state.cells[cell].attempt, BUSY, retry_after=retry_after))


def test_an_invalid_answer_opens_a_repair_round_of_its_own() -> None:
    world = asked()

    invalid(world, VERDICT)

    assert world.possible() == [Cell("verdict/repair.1")]
    assert world.state.cells[VERDICT].status is CellStatus.ATTEMPT_FAILED


def test_a_repaired_answer_completes_the_node() -> None:
    world = asked()
    invalid(world, VERDICT)

    world.send(NodeCompleted(Cell("verdict/repair.1"), world.keep({"score": 90}), 1))

    assert world.state.phase is Phase.COMPLETED
    assert world.events[-2].body == NodeCompleted(
        VERDICT, world.state.cells[Cell("verdict/repair.1")].output, attempt=1, by="repair"
    )


def test_the_second_round_shows_the_answer_of_the_first() -> None:
    world = asked()
    invalid(world, VERDICT)
    invalid(world, Cell("verdict/repair.1"))

    assert world.possible() == [Cell("verdict/repair.2")]
    assert world.state.cells[VERDICT].raw == world.state.cells[Cell("verdict/repair.1")].raw


def test_when_rounds_are_used_up_the_next_model_is_asked_with_fresh_rounds() -> None:
    world = asked(models=("a", "b"), repair=1)
    invalid(world, VERDICT)
    invalid(world, Cell("verdict/repair.1"))

    assert world.state.cells[VERDICT].model == "b"
    invalid(world, VERDICT)
    assert world.possible() == [Cell("verdict/repair.2")]
    assert world.state.cells[Cell("verdict/repair.2")].model == "b"


def test_when_the_last_model_is_used_up_the_node_fails_with_the_last_reason() -> None:
    world = asked(repair=1)
    invalid(world, VERDICT)
    invalid(world, Cell("verdict/repair.1"))

    assert world.state.phase is Phase.FAILED
    assert world.state.cause_error == BROKEN


def test_a_busy_model_is_asked_again_when_it_said_so() -> None:
    world = asked()

    busy(world, VERDICT, retry_after=37_000_000)

    assert world.events[-1].body == RetryScheduled(VERDICT, 2, world.now + 37_000_000)


def test_a_model_that_stays_busy_gives_way_to_the_next() -> None:
    world = asked(models=("a", "b"), attempts=2)
    busy(world, VERDICT)
    busy(world, VERDICT)

    at = world.state.cells[VERDICT]
    assert (at.model, at.attempt, at.counted_from) == ("b", 3, 3)
    busy(world, VERDICT)
    assert world.state.cells[VERDICT].attempt == 4


def test_a_busy_repair_round_is_retried_as_itself() -> None:
    world = asked()
    invalid(world, VERDICT)

    busy(world, Cell("verdict/repair.1"))

    assert world.possible() == [Cell("verdict/repair.1")]
    assert world.state.cells[Cell("verdict/repair.1")].attempt == 2


def test_a_final_error_asks_no_other_model() -> None:
    world = asked(models=("a", "b"))

    world.send(AttemptFailed(VERDICT, 1, Error("NX-R211", "enough")))

    assert world.state.phase is Phase.FAILED
