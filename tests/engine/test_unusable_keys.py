"""Values that can be no business key: the node fails before anything is sent, and nobody else is held up; on every store."""

from __future__ import annotations

import json
import random

import pytest

from doubtful import PAY
from engine_driver import Driver, register
from graphs import compute, graph, params
from nexum.client.start import StartRequest, start
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.run.keys import KEY_MAX, UnusableKeyError, key_text
from nexum.core.run.state import CellStatus, Phase
from nexum.store.api import Store
from store_tables import rows_of

RNG = random.Random(7)  # what a database could compress would fit where this does not
LONG = "".join(RNG.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
UNUSABLE = {
    "": "it is empty",
    " \u00a0\t": "nothing but blanks",
    LONG: "has 9,000 bytes in UTF-8, and a key may have 1,000",
    "\u00fc" * 501: "has 1,002 bytes",
    "a\x00b": "has a control character (U+0000) at position 1",
    "o-1\n": "has a control character (U+000A) at position 3",
    "\ud800": "has half of a surrogate pair (U+D800)",
}


def paying(tool: str = "pay") -> Effect:
    return Effect(
        id="pay", handler=Handler(ref="m:pay"), output={}, params=params(("first",)), tool=tool, key="first.order"
    )


def test_a_key_that_cannot_be_one_fails_its_node_alone_and_sends_nothing(direct: Driver) -> None:
    g = graph(compute("first", "input"), paying())
    direct.handlers["first"] = lambda work: {"order": orders[work.task.run_id]}
    direct.handlers["pay"] = lambda work: "sent"
    orders = {direct.start(g, 1).run_id: key for key in UNUSABLE}
    good = direct.start(g, 1).run_id
    orders[good] = "o-1"

    direct.play(g)

    assert direct.state(good).phase is Phase.COMPLETED
    for run in orders.keys() - {good}:
        error = direct.state(run).cells[PAY].error
        assert error is not None
        assert error.code == "NX-E206"
        assert UNUSABLE[orders[run]] in error.message
        assert error.message.startswith("the business key of pay: ")
    assert [call.task.run_id for call in direct.calls if call.node.id == "pay"] == [good]
    assert [row["business_key"] for row in rows_of(direct.store, "nexum_effects")] == ["o-1"]


def test_a_key_from_the_input_is_held_to_the_same_when_the_run_starts(direct: Driver) -> None:
    alone = graph(paying().model_copy(update={"params": params(("input",)), "key": "input.order"}))

    run = direct.start(alone, {"order": LONG}).run_id

    assert direct.state(run).phase is Phase.FAILED
    assert direct.state(run).cells[PAY].status is CellStatus.FAILED


def test_the_longest_key_of_the_longest_tool_and_tenant_fits_the_index(store: Store) -> None:
    wide = ["".join(chr(RNG.randrange(0x20000, 0x2A000)) for _ in range(size)) for size in (200, 200, KEY_MAX // 4)]
    tenant, tool, key = wide
    g = graph(paying(tool).model_copy(update={"params": params(("input",)), "key": "input.order"}))
    register(store, g)
    driver = Driver(store)
    driver.handlers["pay"] = lambda work: "sent"

    run = start(store, StartRequest(g.workflow, {"order": key}, tenant=tenant)).run_id
    driver.play(g)

    assert driver.state(run).phase is Phase.COMPLETED
    assert [(row["tenant"], row["business_key"]) for row in rows_of(store, "nexum_effects")] == [(tenant, key)]


@pytest.mark.parametrize("value", ["o-1", "  o 1 ", "注文-7", 7, -1, json.loads("12345678901234567890123")])
def test_a_key_is_taken_as_it_stands(value: object) -> None:
    assert key_text(value) == str(value)


def test_what_has_no_spelling_is_no_key() -> None:
    with pytest.raises(UnusableKeyError, match="it has no spelling"):
        key_text(float("nan"))
