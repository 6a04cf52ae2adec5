"""Functions that ask a provider, executed for real; no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from nexum import CannotTell, Context, Reconcile, Timeouts, Workflow
from nexum.core.canonical import canonical_bytes
from nexum.core.run.events import Cell
from nexum.core.run.plan import plan_of
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.store.api import TaskKey
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door


class Order(BaseModel):
    number: str


class Receipt(BaseModel):
    id: str
    amount: int


ACT: list[Callable[..., Any]] = []
SHORT = Timeouts(start_to_close=timedelta(milliseconds=50))

flow = Workflow("Asking", input=Order)


def find(order: Order, ctx: Context) -> Receipt | None:
    return ACT[-1](order, ctx)


async def find_async(order: Order) -> Receipt | None:
    return await ACT[-1](order)


@flow.effect(tool="pay", reference="id", reconcile=find)
def pay(order: Order) -> Receipt:
    return Receipt(id="never called here", amount=0)


@flow.effect(tool="pay", reconcile=Reconcile(find_async, timeouts=SHORT))
def pay_slow(order: Order) -> Receipt:
    return Receipt(id="never called here", amount=0)


BUILT = flow.build()


def asked(act: Callable[..., Any], effect: str = "pay") -> Outcome:
    ACT.append(act)
    path = f"{effect}/reconcile.1"
    node = plan_of(BUILT.graph).node_at(path)
    work = Work(
        task=TaskKey("0193-run", path, 1, -1, 1),
        token=1,
        deliveries=1,
        graph=BUILT.graph,
        node=node,
        cell=Cell(path),
        attempt=1,
        inputs=(("order", canonical_bytes({"number": "o-1"})),),
        input_hash="",
        key="nx1-key",
        model="",
        max_run=node.timeouts.start_to_close,
        now=0,
        scheduled_at=0,
        tenant="default",
        run_key="",
        trace="",
    )
    attempts = Attempts([BUILT], door=Door(), max_payload=1_000)
    if attempts.is_async(work):
        return asyncio.run(attempts.execute_async(work, lambda _: None))
    return attempts.execute(work, lambda _: None)


def test_the_one_who_asks_is_told_the_key_of_the_effect_and_what_it_was_sent_with() -> None:
    seen = []

    asked(lambda order, ctx: seen.append((order.number, ctx.idempotency_key, ctx.node)))

    assert seen == [("o-1", "nx1-key", "pay/reconcile.1")]


def test_what_was_found_is_an_output_of_the_effect_with_its_reference() -> None:
    found = asked(lambda order, ctx: Receipt(id="re_1", amount=5))

    assert found == Succeeded(b'{"amount":5,"id":"re_1"}', reference="re_1", answer="found")


def test_none_means_that_nothing_was_found() -> None:
    assert asked(lambda order, ctx: None) == Succeeded(b"null", answer="not_found")


def test_whoever_cannot_tell_says_why() -> None:
    def unsure(order: Order, ctx: Context) -> None:
        raise CannotTell("the list is incomplete")

    error = CannotTell("x")
    assert (error.code, asked(unsure)) == ("NX-E210", Succeeded(b'"the list is incomplete"', answer="cannot_tell"))


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"id": "re_1"}, "NX-R201"),
        (7, "NX-R201"),
        (Receipt.model_construct(id="re_1", amount="many"), "NX-R201"),
        (Receipt(id="x" * 2_000, amount=1), "NX-R103"),
        (Receipt(id="\ud800", amount=1), "NX-R102"),
    ],
)
def test_a_lie_fails_the_asking_and_says_nothing_about_the_effect(lie: Any, code: str) -> None:
    outcome = asked(lambda order, ctx: lie)

    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.sent, outcome.error.retryable) == (code, "no", False)


def test_one_that_raises_may_be_asked_again() -> None:
    def broken(order: Order, ctx: Context) -> None:
        raise ConnectionResetError("reset")

    outcome = asked(broken)

    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.sent, outcome.error.retryable) == ("NX-R200", "no", True)


def test_one_that_hangs_is_ended_by_its_own_time_limit() -> None:
    async def hang(order: Order) -> None:
        await asyncio.Event().wait()

    outcome = asked(hang, "pay_slow")

    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.sent, outcome.error.retryable) == ("NX-R202", "no", True)
