"""An agent whose provider honours no idempotency keys: nothing may be sent twice because nobody is sure.

`voucher` can be looked up at the provider, so Nexum asks before it does anything else. `letter` goes to a printing house
that answers no questions, so a person has to find out.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from examples.refund_agent import shop
from nexum import Context, Reconcile, Workflow

SETTLE = timedelta(seconds=2)  # no request to this provider lives longer; in production count proxies and queues too
GAP = timedelta(seconds=1)


class Gesture(BaseModel):
    """What a customer gets for the trouble."""

    order_id: str
    amount: int
    to: str


class Voucher(BaseModel):
    """The provider's word that it issued."""

    id: str
    amount: int


class Posted(BaseModel):
    """The printing house's word that it posted."""

    id: str


agent = Workflow("GoodwillAgent", input=Gesture)


def find_voucher(gesture: Gesture, ctx: Context) -> Voucher | None:
    """Ask the provider whether it has seen the key."""
    found = shop.refunds_with(ctx.idempotency_key)
    return Voucher(id=found[0]["id"], amount=found[0]["amount"]) if found else None


@agent.effect(tool="pay.voucher", reconcile=Reconcile(find_voucher, settle=SETTLE, gap=GAP), reference="id")
def voucher(gesture: Gesture, ctx: Context) -> Voucher:
    """Issue it."""
    made = shop.refund(gesture.order_id, gesture.amount, "EUR", key=ctx.idempotency_key, honoured=False)
    return Voucher(id=made["id"], amount=made["amount"])


@agent.effect(tool="letter.post", reference="id")
def letter(gesture: Gesture, voucher: Voucher, ctx: Context) -> Posted:
    """Have a letter printed and posted."""
    body = f"Your voucher is {voucher.id}."
    return Posted(id=shop.mail(gesture.to, "We are sorry", body, key=ctx.idempotency_key, honoured=False)["id"])


goodwill_agent = agent.build()
