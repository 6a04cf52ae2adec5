"""Handlers of every temper, executed for real; no database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.run.events import Cell
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.errors import NotSent
from nexum.sdk.context import Context
from nexum.sdk.policies import Retry, Timeouts
from nexum.sdk.prompt import Prompt
from nexum.sdk.workflow import Workflow
from nexum.store.api import TaskKey
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door
from nexum_workers.models.scripted import Rule, Script


class Order(BaseModel):
    number: str
    amount: int = 0


class Receipt(BaseModel):
    id: str
    amount: int
    due: date | None = None


class Loose(BaseModel):
    data: Any


ACTS: dict[str, Callable[..., Any]] = {}
SCRIPT = Script(
    (
        Rule("good", ('{"id": "a", "amount": 40, "due": "2026-11-21"}',)),
        Rule("mean", ('{"id": "a", "amount": 3}',)),
        Rule("broken", ('{"id": "a"}', '{"id": "b", "amount": 99}')),
        Rule("slow", ("{}",), delay=60),
    )
)
SHORT = Timeouts(start_to_close=timedelta(milliseconds=50))

flow = Workflow("Tempers", input=Order)


@flow.effect(tool="pay", reference="id", retry=Retry(retry_on=("LookupError",)))
def pay(order: Order, ctx: Context) -> Receipt:
    return ACTS["pay"](order, ctx)


@flow.effect(tool="pay", timeouts=SHORT)
async def pay_async(order: Order) -> Receipt:
    return await ACTS["pay_async"](order)


@flow.read()
def look(order: Order) -> Loose:
    return ACTS["look"](order)


@flow.compute()
def score(order: Order) -> int:
    return ACTS["score"](order)


@flow.read(timeouts=Timeouts(heartbeat=timedelta(milliseconds=60)))
async def listen(order: Order, ctx: Context) -> Loose:
    return await ACTS["listen"](order, ctx)


@flow.llm(model=f"scripted:{__name__}:SCRIPT", accept="verdict.amount >= 30")
def verdict(order: Order) -> Prompt[Receipt]:
    return ACTS["verdict"](order)


@flow.llm(model=f"scripted:{__name__}:SCRIPT", timeouts=SHORT)
async def slow_verdict(order: Order) -> Prompt[Receipt]:
    return Prompt("slow")


BUILT = flow.build()


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def _work(node_id: str) -> Work:
    node = BUILT.graph[node_id]
    return Work(
        task=TaskKey("0193-run", node_id, 1, -1, 1),
        token=1,
        deliveries=1,
        graph=BUILT.graph,
        node=node,
        cell=Cell(node_id),
        attempt=1,
        inputs=(("order", canonical_bytes({"number": "o-1", "amount": 5})),),
        input_hash="",
        key="nx1-key" if node.kind == "effect" else "",
        model=node.models[0] if node.kind == "llm" else "",
        max_run=node.timeouts.start_to_close,
        now=0,
        scheduled_at=0,
        tenant="default",
        run_key="",
        trace="",
    )


def _do(node_id: str, act: Callable[..., Any] | None = None, *, max_payload: int = 1 << 20) -> Outcome:
    if act is not None:
        ACTS[node_id] = act
    attempts = Attempts([BUILT], door=Door(), max_payload=max_payload)
    work = _work(node_id)
    if attempts.is_async(work):
        return asyncio.run(attempts.execute_async(work, lambda _: None))
    return attempts.execute(work, lambda _: None)


def _failed(outcome: Outcome) -> tuple[str, str, bool]:
    assert isinstance(outcome, Failed)
    return outcome.error.code, outcome.sent, outcome.error.retryable


def _raiser(error: BaseException) -> Callable[..., Any]:
    def act(*_: object) -> object:
        raise error

    return act


def test_a_handler_gets_its_inputs_and_its_context_and_its_answer_is_canonical() -> None:
    def act(order: Order, ctx: Context) -> Receipt:
        assert (order.amount, ctx.idempotency_key) == (5, "nx1-key")
        return Receipt(id="re_1", amount=5, due=date(2026, 11, 21))

    outcome = _do("pay", act)
    assert outcome == Succeeded(b'{"amount":5,"due":"2026-11-21","id":"re_1"}', reference="re_1")


def test_a_traceback_begins_with_the_frame_of_the_handler() -> None:
    def fails(order: Order, ctx: Context) -> Receipt:
        raise ZeroDivisionError

    outcome = _do("pay", fails)

    assert isinstance(outcome, Failed)
    first, frame = outcome.error.trace.splitlines()[:2]
    assert first == "Traceback (most recent call last):"
    assert "test_attempt.py" in frame
    assert "nexum_workers" not in outcome.error.trace


def test_a_reference_that_the_handler_notes_wins_over_the_declared_one() -> None:
    def act(_order: Order, ctx: Context) -> Receipt:
        ctx.reference("ch_9")
        return Receipt(id="re_1", amount=5)

    outcome = _do("pay", act)
    assert isinstance(outcome, Succeeded)
    assert outcome.reference == "ch_9"


def test_a_wrong_type_is_refused_and_an_effect_that_gave_it_is_in_doubt() -> None:
    outcome = _do("pay", lambda *_: {"id": "re_1"})
    assert _failed(outcome) == ("NX-R201", "yes", False)
    assert isinstance(outcome, Failed)
    assert from_bytes(outcome.raw)["repr"] == "{'id': 're_1'}"
    assert _failed(_do("score", lambda _: "many")) == ("NX-R201", "no", False)


def test_a_model_that_was_changed_into_something_else_is_refused() -> None:
    def act(*_: object) -> Receipt:
        receipt = Receipt(id="re_1", amount=5)
        receipt.amount = "five"  # type: ignore[assignment]
        return receipt

    assert _failed(_do("pay", act)) == ("NX-R201", "yes", False)


@pytest.mark.parametrize("value", [float("nan"), [1, {"a": float("-inf")}], object(), {1, 2}.__iter__])
def test_what_has_no_json_spelling_is_refused(value: object) -> None:
    assert _failed(_do("look", lambda _: Loose(data=value))) == ("NX-R102", "no", False)


def test_half_of_a_surrogate_pair_is_refused_with_its_place() -> None:
    for act in (lambda _: Loose(data={"said": ["\ud800"]}), lambda _: Loose(data={"\ud800": 1})):
        outcome = _do("look", act)
        assert isinstance(outcome, Failed)
        assert (outcome.error.code, outcome.error.retryable) == ("NX-R102", False)
        assert "\\ud800" in outcome.error.message
    assert "$.data" in outcome.error.message


def test_an_effect_that_returned_half_of_a_pair_is_in_doubt_and_what_it_returned_is_kept() -> None:
    outcome = _do("pay", lambda *_: Receipt(id="\ud800", amount=1))
    assert _failed(outcome) == ("NX-R102", "yes", False)
    assert isinstance(outcome, Failed)
    assert b"ud800" in outcome.raw


def test_what_pydantic_finds_is_told_by_place_and_reason_without_its_addresses() -> None:
    def check(_: object) -> Loose:
        Receipt.model_validate({"id": 7, "amount": "many"})
        return Loose(data=1)

    outcome = _do("look", check)
    assert isinstance(outcome, Failed)
    assert "$.amount: Input should be a valid integer" in outcome.error.message
    assert "validation error" not in outcome.error.message
    assert "errors.pydantic.dev" not in outcome.error.message + outcome.error.trace


def test_nul_and_japanese_are_ordinary_text() -> None:
    text = "a\x00b 返金"
    outcome = _do("look", lambda _: Loose(data=text))
    assert isinstance(outcome, Succeeded)
    assert from_bytes(outcome.output) == {"data": text}


def test_a_result_nested_without_end_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    code, _, retryable = _failed(_do("look", lambda _: Loose(data=nested)))
    assert code in {"NX-R102", "NX-R201"}
    assert not retryable


def test_a_result_above_the_limit_is_refused_and_the_effect_is_known_to_have_acted() -> None:
    outcome = _do("pay", lambda *_: Receipt(id="x" * 2_000, amount=1), max_payload=1_024)
    assert _failed(outcome) == ("NX-R103", "yes", False)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), RecursionError(), GeneratorExit()]
)
def test_a_handler_that_ends_violently_ends_only_its_attempt(error: BaseException) -> None:
    assert _failed(_do("pay", _raiser(error)))[:2] == ("NX-R200", "unknown")


def test_an_exception_is_classified_by_the_node_s_retry() -> None:
    assert _failed(_do("pay", _raiser(KeyError("x")))) == ("NX-R200", "unknown", True)
    assert _failed(_do("pay", _raiser(ValueError("x")))) == ("NX-R200", "unknown", False)
    assert _failed(_do("pay", _raiser(NotSent("pool is closed")))) == ("NX-E101", "no", True)


def test_an_input_that_does_not_fit_fails_before_anything_is_sent() -> None:
    attempts = Attempts([BUILT], door=Door(), max_payload=1_024)
    work = _work("pay")._replace(inputs=(("order", b"[]"),))
    assert _failed(attempts.execute(work, lambda _: None))[1] == "no"


def test_a_version_that_this_worker_does_not_have_fails_before_anything_is_sent() -> None:
    outcome = Attempts([], door=Door(), max_payload=1_024).execute(_work("pay"), lambda _: None)
    assert _failed(outcome)[:2] == ("NX-X100", "no")


def test_a_compute_handler_that_opens_a_file_is_impure() -> None:
    assert _failed(_do("score", lambda _: len(Path("/etc/hostname").read_text()))) == ("NX-R207", "no", False)
    assert isinstance(_do("look", lambda _: Loose(data=Path("/etc/hostname").read_text())), Succeeded)


def test_an_async_handler_is_cancelled_when_its_time_is_over() -> None:
    cleaned: list[str] = []

    async def act(_order: Order) -> Receipt:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")
        raise AssertionError

    assert _failed(_do("pay_async", act)) == ("NX-R202", "unknown", True)
    assert cleaned == ["up"]


def test_a_result_that_comes_in_spite_of_the_cancellation_is_a_fact() -> None:
    async def act(_order: Order) -> Receipt:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Receipt(id="re_late", amount=1)

    outcome = _do("pay_async", act)
    assert isinstance(outcome, Succeeded)
    assert b"re_late" in outcome.output


def test_an_async_handler_lives_as_long_as_its_heart_beats() -> None:
    async def act(_order: Order, ctx: Context) -> Loose:
        for _ in range(4):
            await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.03)
            ctx.heartbeat()
        return Loose(data="alive")

    async def silent(_order: Order, _ctx: Context) -> Loose:
        await asyncio.Event().wait()
        raise AssertionError

    assert isinstance(_do("listen", act), Succeeded)
    assert _failed(_do("listen", silent)) == ("NX-R205", "no", True)


def test_an_async_handler_that_exits_does_not_end_the_loop() -> None:
    async def act(_order: Order) -> Receipt:
        raise SystemExit(1)

    assert _failed(_do("pay_async", act))[:2] == ("NX-R200", "unknown")


def test_a_model_s_answer_is_read_by_json_s_rules_and_accepted_by_the_node_s_condition() -> None:
    outcome = _do("verdict", lambda _: Prompt("good"))
    assert isinstance(outcome, Succeeded)
    assert from_bytes(outcome.output) == {"id": "a", "amount": 40, "due": "2026-11-21"}
    assert outcome.usage is not None
    refused = _do("verdict", lambda _: Prompt("mean"))
    assert _failed(refused)[0] == "NX-L213"
    broken = _do("verdict", lambda _: Prompt("broken"))
    assert isinstance(broken, Failed)
    assert (broken.error.code, broken.repairable, broken.raw) == ("NX-L210", True, b'{"id": "a"}')


def test_a_prompt_that_is_none_is_refused_and_a_raising_handler_is_an_ordinary_failure() -> None:
    assert _failed(_do("verdict", lambda _: "just text"))[0] == "NX-R201"
    assert _failed(_do("verdict", _raiser(ValueError("no policy")))) == ("NX-R200", "no", True)


def test_a_model_that_does_not_answer_is_abandoned_when_the_attempt_s_time_is_over() -> None:
    code, sent, retryable = _failed(_do("slow_verdict"))
    assert code in {"NX-R202", "NX-L203"}
    assert (sent, retryable) == ("no", True)


def test_a_failed_attempt_is_one_warning_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    _do("pay", _raiser(TimeoutError("no answer")))

    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == (
        "WARNING",
        "pay failed in attempt 1: [NX-R200] TimeoutError: no answer",
    )
    told = vars(line)
    assert (told["code"], told["kind"], told["sent"], told["retryable"]) == (
        "NX-R200",
        "TimeoutError",
        "unknown",
        False,
    )


def test_an_attempt_that_ended_well_is_one_line_for_those_who_ask_for_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "nexum.worker"):
        _do("score", lambda _: 7)
    assert not caplog.records

    with caplog.at_level("DEBUG", "nexum.worker"):
        _do("score", lambda _: 7)
    assert [line.getMessage() for line in caplog.records] == ["score ended in attempt 1: 1 bytes"]
