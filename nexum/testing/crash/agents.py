"""The workflow under attack: look up, decide, pay, write; two effects under keys that the provider honours."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
from pydantic import BaseModel

from nexum import Context, Dedupes, Retry, Workflow

PROVIDER = "NEXUM_CRASH_PROVIDER"  # where the provider is
SLOW_ANSWER = 0.06  # seconds between the provider's act and the handler's return: the window that kills should hit
PATIENT = Retry(max_attempts=50, first_wait=timedelta(milliseconds=100), ceiling=timedelta(seconds=2))
HONOURED = Dedupes(ttl=timedelta(hours=24))


class Order(BaseModel):
    """What is to be refunded; `amount` is in minor units."""

    order_id: str
    amount: int


class Decision(BaseModel):
    """The order, and what is paid back."""

    order_id: str
    pay: int


class Receipt(BaseModel):
    """The provider's reference."""

    id: str


agent = Workflow("CrashAgent", input=Order)


@agent.read(retry=PATIENT)
def looked_up(order: Order) -> Order:
    """Ask the provider's shop side; the answer does not matter, that it is asked does."""
    _client().get(os.environ[PROVIDER] + "/refunds", params={"order_id": order.order_id}).raise_for_status()
    return order


@agent.compute()
def decided(looked_up: Order) -> Decision:
    """Pay everything back."""
    return Decision(order_id=looked_up.order_id, pay=looked_up.amount)


@agent.effect(tool="pay.refund", key=decided.out.order_id, provider=HONOURED, reference="id", retry=PATIENT)
def paid(decided: Decision, ctx: Context) -> Receipt:
    """One refund per order."""
    return _act(
        "/refunds", {"order_id": decided.order_id, "amount": decided.pay, "currency": "EUR"}, ctx.idempotency_key
    )


@agent.compute()
def worded(decided: Decision, paid: Receipt) -> str:
    """The letter's text."""
    return f"We refunded {decided.pay} for {decided.order_id} under {paid.id}."


@agent.effect(tool="mail.send", provider=HONOURED, reference="id", retry=PATIENT)
async def mailed(decided: Decision, worded: str, ctx: Context) -> Receipt:
    """One mail per run; an async handler, so that both ways of executing are under attack."""
    body = {"to": f"{decided.order_id}@example.org", "subject": "Refund", "body": worded}
    headers = {"Idempotency-Key": ctx.idempotency_key}
    answer = await _async_client().post(os.environ[PROVIDER] + "/mails", json=body, headers=headers)
    await asyncio.sleep(SLOW_ANSWER)
    return Receipt(id=answer.raise_for_status().json()["id"])


@cache
def _client() -> httpx.Client:
    """One for each process, made when it is first needed: after the fork."""
    return httpx.Client(timeout=5)


@cache
def _async_client() -> httpx.AsyncClient:
    """One for the process's loop."""
    return httpx.AsyncClient(timeout=5)


def _act(path: str, body: dict[str, Any], key: str) -> Receipt:
    answer = _client().post(os.environ[PROVIDER] + path, json=body, headers={"Idempotency-Key": key})
    time.sleep(SLOW_ANSWER)
    return Receipt(id=answer.raise_for_status().json()["id"])


crash_agent = agent.build()
