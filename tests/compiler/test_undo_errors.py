"""How an effect is undone, as authors write it, and what the build refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from findings import errors, only, pointed
from nexum import IO, Context, Dedupes, Retry, Timeouts, Undo, Workflow, workflow
from nexum.core.graph.nodes import Compensation, Effect
from nexum.core.graph.policies import Hold, RetryPolicy


class Claim(BaseModel):
    order_id: str


class Order(BaseModel):
    order_id: str
    amount: int


class Receipt(BaseModel):
    id: str


def order(claim: Claim) -> Order:
    return Order(order_id=claim.order_id, amount=1)


def pay(order: Order) -> Receipt:
    return Receipt(id=order.order_id)


def cancel(pay: Receipt, order: Order, ctx: Context) -> None:
    print(pay.id, order.amount, ctx.idempotency_key)


def shop(undo: Any, **more: Any) -> Workflow[Claim]:
    agent = Workflow("Shop", input=Claim)
    agent.read()(order)
    agent.effect(tool="bank.pay", compensate=undo, **more)(pay)
    return agent


def compensation(agent: Workflow[Claim]) -> Compensation:
    node = agent.build().graph["pay"]
    assert isinstance(node, Effect)
    assert node.compensate is not None
    return node.compensate


def test_an_undo_takes_what_its_effect_read_and_gave_by_name() -> None:
    found = compensation(shop(cancel))

    assert [(param.name, param.source) for param in found.params] == [("pay", "pay"), ("order", "order")]
    assert found.params[0].reads == ("id",)
    assert (found.tool, found.output, found.doubt, found.retry) == (
        "bank.pay.undo",
        {"type": "null"},
        Hold(),
        RetryPolicy(),
    )
    assert found.handler.ref.endswith(":cancel")
    assert found.handler.fingerprint


def test_an_undo_may_say_more_than_a_function() -> None:
    undo = Undo(
        cancel,
        tool="bank.refund",
        retry=Retry(max_attempts=9),
        timeouts=Timeouts(start_to_close=timedelta(seconds=5)),
        provider=Dedupes(ttl=timedelta(hours=1)),
    )

    found = compensation(shop(undo))

    assert (found.tool, found.retry.max_attempts, found.doubt.policy) == ("bank.refund", 9, "dedupes")
    assert found.timeouts.start_to_close == 5_000_000


def test_the_fluent_form_undoes_too_and_gives_the_same_version() -> None:
    fluent = workflow("Shop", input=Claim).read("order", order).effect("pay", pay, tool="bank.pay", compensate=cancel)

    assert fluent.build().version == shop(cancel).build().version


def test_workers_find_the_handler_of_an_undo_by_its_path() -> None:
    handler = shop(cancel).build().handlers["pay/undo"]

    assert handler.call is cancel
    assert handler.contexts == ("ctx",)


def test_other_code_of_an_undo_is_another_version() -> None:
    def other(pay: Receipt) -> None:
        print("other", pay.id)

    assert shop(cancel).build().version != shop(other).build().version


def test_a_node_may_be_parked_when_its_attempts_are_used_up() -> None:
    agent = Workflow("Shop", input=Claim)
    agent.read(retry=Retry(exhausted="park"))(order)

    assert agent.build().graph["order"].retry.exhausted == "park"


def test_a_parameter_that_the_effect_neither_read_nor_gave_is_refused_with_the_nearest() -> None:
    def undo(pya: Receipt) -> None:
        print(pya)

    found = only(shop(undo))

    assert found.code == "NX-B161"
    assert found.message == "parameter `pya` of `pay/undo` is nothing that `pay` read or gave"
    assert pointed(found) == "pya: Receipt"
    assert found.fixes[0] == "rename the parameter to `pay`"


def test_the_input_of_the_workflow_is_not_there_for_an_undo_whose_effect_did_not_read_it() -> None:
    def undo(claim: Claim) -> None:
        print(claim)

    assert only(shop(undo)).code == "NX-B161"


def test_an_undo_must_take_what_the_effect_gives() -> None:
    def undo(pay: Order) -> None:
        print(pay.amount)

    found = only(shop(undo))

    assert found.code == "NX-B104"
    assert found.message == "`pay` of `pay/undo` takes Order, but `pay` gives Receipt"


def test_an_undo_may_not_need_what_the_effect_may_lack() -> None:
    agent = Workflow("Shop", input=Claim)
    agent.read(when="input.order_id != ''")(order)

    def book(order: Order | None) -> Receipt:
        return Receipt(id="1")

    def undo(order: Order) -> None:
        print(order)

    agent.effect(tool="bank.pay", compensate=undo)(book)

    found = only(agent)
    assert found.code == "NX-B162"
    assert pointed(found) == "order: Order"


def find_cancelled(pay: Receipt, ctx: Context) -> bool | None:
    return ctx.idempotency_key.startswith(pay.id) or None


def cancel_and_say(pay: Receipt, ctx: Context) -> bool:
    return bool(pay.id and ctx.idempotency_key)


def test_the_provider_is_asked_about_an_undo_with_what_the_undo_takes() -> None:
    agent = shop(Undo(cancel_and_say, reconcile=find_cancelled))

    found = compensation(agent).reconcile
    assert found is not None
    assert [(param.name, param.source) for param in found.params] == [("pay", "pay")]
    assert agent.build().handlers["pay/undo/reconcile"].call is find_cancelled


def test_who_is_asked_about_an_undo_may_not_take_more_than_the_undo() -> None:
    def find(order: Order) -> bool | None:
        return order.amount > 1 or None

    assert only(shop(Undo(cancel_and_say, reconcile=find))).code == "NX-B140"


def test_an_undo_is_one_act_and_journals_no_calls() -> None:
    def undo(pay: Receipt, io: IO) -> None:
        io.call(print, pay.id)

    found = only(shop(undo))
    assert found.code == "NX-B151"
    assert found.message == "`pay/undo` is an undo, which is one act, and takes `io: IO`"


@pytest.mark.parametrize("kind", ["compute", "read"])
def test_only_effects_are_undone(kind: str) -> None:
    agent = Workflow("Shop", input=Claim)
    getattr(agent, kind)(compensate=cancel)(order)

    found = only(agent)
    assert found.code == "NX-B124"
    assert "`compensate=` is no option of" in found.message


def mailing(**options: Any) -> Workflow[Claim]:
    agent = shop(cancel)

    @agent.compute()
    def text(pay: Receipt) -> str:
        return pay.id

    @agent.effect(tool="mail.send", **options)
    def mail(text: str) -> None:
        print(text)

    return agent


def test_an_effect_that_cannot_be_undone_after_one_that_can_is_a_pivot_or_an_error() -> None:
    found = only(mailing())

    assert found.code == "NX-B163"
    assert found.message == "effect `mail` cannot be undone, and comes after `pay`, which can"
    mail = mailing(pivot=True).build().graph["mail"]
    assert isinstance(mail, Effect)
    assert mail.pivot


def test_what_cannot_be_undone_may_come_before_and_beside() -> None:
    agent = Workflow("Shop", input=Claim)
    agent.read()(order)

    @agent.effect(tool="log.write")
    def note(order: Order) -> None:
        print(order)

    agent.effect(tool="bank.pay", compensate=cancel)(pay)

    assert agent.build().version


def test_a_pivot_is_not_undone() -> None:
    assert only(shop(cancel, pivot=True)).code == "NX-B164"


@pytest.mark.parametrize(
    ("undo", "told"),
    [
        ("cancel", "`compensate=` is 'cancel', not a function, or an Undo"),
        (Undo("cancel"), "`compensate=`: handler is 'cancel', not a function"),  # type: ignore[arg-type]
        (Undo(cancel, retry=3), "`compensate=`: retry is 3, not a Retry"),  # type: ignore[arg-type]
        (Undo(cancel, retry=Retry(max_attempts=0)), "`compensate=`: `retry=`: max_attempts is 0"),
    ],
)
def test_an_undo_of_a_wrong_form_is_refused(undo: Any, told: str) -> None:
    (found,) = [each for each in errors(shop(undo)) if each.severity == "error"]

    assert found.code == "NX-B124"
    assert found.message.startswith(told)


def test_an_undo_needs_types_like_every_handler() -> None:
    def undo(pay) -> None:  # type: ignore[no-untyped-def]
        print(pay)

    assert only(shop(undo)).code == "NX-B107"


def test_an_undo_of_several_calls_may_not_need_the_result_that_half_of_them_leave_out() -> None:
    def book(claim: Claim, io: IO) -> Receipt:
        return Receipt(id="1")

    def needs(book: Receipt) -> None:
        print(book)

    def bears(book: Receipt | None, ctx: Context) -> None:
        print(book, ctx.calls)

    agent = Workflow("Shop", input=Claim)
    agent.effect(tool="bank.pay", compensate=needs)(book)
    found = only(agent)
    assert found.code == "NX-B162"
    assert pointed(found) == "book: Receipt"
    assert "ctx.calls" in found.fixes[0]

    agent = Workflow("Shop", input=Claim)
    agent.effect(tool="bank.pay", compensate=bears)(book)
    agent.build()
