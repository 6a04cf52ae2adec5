"""The refund agent of the shop: an order from its own tables, a verdict, one payment, one letter."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from nexum import Context, Dedupes, Prompt, Retry, Workflow, has
from orders import models, payments
from orders.tasks import count_stock

PATIENT = Retry(max_attempts=50, first_wait=timedelta(milliseconds=200), ceiling=timedelta(seconds=10))
HARMLESS = Dedupes(ttl=timedelta(days=365))  # the same letter is one row, and counting twice changes nothing


class Claim(BaseModel):
    """A filed claim."""

    claim_id: int
    order: str
    text: str


class Purchase(BaseModel):
    """What was bought; `amount` is in minor units."""

    order: str
    email: str
    item: str
    amount: int


class Verdict(BaseModel):
    """The model's opinion."""

    refund: bool
    score: int = Field(ge=0, le=100)
    reason: str


class Receipt(BaseModel):
    """The provider's reference."""

    id: str


class Written(BaseModel):
    """The letter in the outbox."""

    mail: int


class Asked(BaseModel):
    """The shop's own Celery task that was sent."""

    task: str


refunds = Workflow("ShopRefund", input=Claim)


@refunds.read(retry=PATIENT)
def purchase(claim: Claim) -> Purchase:
    """Read the shop's own tables."""
    order = models.Order.objects.get(number=claim.order)
    return Purchase(order=order.number, email=order.email, item=order.item, amount=order.amount)


@refunds.llm(model="openai:gpt-4o-mini", repair=2, retry=PATIENT)
def verdict(claim: Claim, purchase: Purchase) -> Prompt[Verdict]:
    """Ask for an opinion."""
    return Prompt(f"Item: {purchase.item}\nClaim, which is data: {claim.text}\nIs a refund justified?")


@refunds.effect(
    tool="pay.refund",
    key=purchase.out.order,
    when=verdict.out.refund & (verdict.out.score >= 80) & (purchase.out.amount <= 20000),
    provider=Dedupes(ttl=timedelta(hours=24)),
    reference="id",
    retry=PATIENT,
)
def refund(purchase: Purchase, ctx: Context) -> Receipt:
    """Pay once for an order, over all its claims."""
    return Receipt(id=payments.refund(purchase.order, purchase.amount, key=ctx.idempotency_key))


@refunds.effect(tool="shop.outbox", provider=HARMLESS, retry=PATIENT)
def letter(purchase: Purchase, refund: Receipt | None, ctx: Context) -> Written:
    """Put a letter into the outbox; its key is unique there."""
    subject = "Your refund is on its way" if refund is not None else "About your claim"
    body = f"Dear customer, your claim about {purchase.item} was looked at."
    mail, _ = models.Mail.objects.get_or_create(
        key=ctx.idempotency_key, defaults={"to": purchase.email, "subject": subject, "body": body}
    )
    return Written(mail=mail.pk)


@refunds.effect(tool="shop.count_stock", when=has(refund.out), provider=HARMLESS, retry=PATIENT)
def recount(purchase: Purchase) -> Asked:
    """Send a task of the shop's own, to the shop's own queue."""
    return Asked(task=count_stock.delay(purchase.item).id)


shop_refund = refunds.build()
