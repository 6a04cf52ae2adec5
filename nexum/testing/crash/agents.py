"""The workflows under attack: look up, decide, pay, write; two effects each, alike but for what they trust the provider with.

`CrashAgent` has a provider that honours keys and says so. `HoldAgent` has one that honours nothing and promises nothing.
`WrongAgent` has the second kind and declares the first: what a shop gets that believes its provider's brochure.
`ReconcileAgent` has the second kind and asks it, by a list that lags behind.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypedDict

import httpx
from pydantic import BaseModel

from nexum import CannotTell, Context, Dedupes, Reconcile, Retry, Timeouts, Workflow
from nexum.sdk.compiled import CompiledWorkflow
from nexum.testing.crash.sending import act, act_async, client

PROVIDER = "NEXUM_CRASH_PROVIDER"  # where the provider is
SLOW_ANSWER = 0.06  # seconds between the provider's act and the handler's return: the window that kills should hit
PATIENT = Retry(max_attempts=50, first_wait=timedelta(milliseconds=100), ceiling=timedelta(seconds=2))
HONOURED = Dedupes(ttl=timedelta(hours=24))
SHORT = Timeouts(start_to_close=timedelta(seconds=10))  # twice what our client waits
SETTLE = timedelta(seconds=2)  # no request of this provider lives so long, and its list is up to date after LAG
GAP = timedelta(milliseconds=500)


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


class Trust(TypedDict, total=False):
    """What an effect declares about its provider, and how long an attempt may take."""

    provider: Dedupes
    reconcile: Reconcile
    timeouts: Timeouts


def refunding(name: str, *, honoured: bool, pay: Trust, mail: Trust) -> CompiledWorkflow[Order]:
    """The agent of this name. `honoured`: the provider keeps its word about keys; `pay`, `mail`: what they declare."""
    agent = Workflow(name, input=Order)

    @agent.read(retry=PATIENT)
    def looked_up(order: Order) -> Order:
        """Ask the provider's shop side; the answer does not matter, that it is asked does."""
        client().get(os.environ[PROVIDER] + "/refunds", params={"order_id": order.order_id}).raise_for_status()
        return order

    @agent.compute()
    def decided(looked_up: Order) -> Decision:
        """Pay everything back."""
        return Decision(order_id=looked_up.order_id, pay=looked_up.amount)

    @agent.effect(tool="pay.refund", key=decided.out.order_id, reference="id", retry=PATIENT, **pay)
    def paid(decided: Decision, ctx: Context) -> Receipt:
        """One refund per order."""
        body = {"order_id": decided.order_id, "amount": decided.pay, "currency": "EUR"}
        answer = act(os.environ[PROVIDER] + "/refunds", body, ctx.idempotency_key, honoured=honoured)
        time.sleep(SLOW_ANSWER)
        return _receipt(answer)

    @agent.compute()
    def worded(decided: Decision, paid: Receipt) -> str:
        """The letter's text."""
        return f"We refunded {decided.pay} for {decided.order_id} under {paid.id}."

    @agent.effect(tool="mail.send", reference="id", retry=PATIENT, **mail)
    async def mailed(decided: Decision, worded: str, ctx: Context) -> Receipt:
        """One mail per run; an async handler, so that both ways of executing are under attack."""
        body = {"to": f"{decided.order_id}@example.org", "subject": "Refund", "body": worded}
        answer = await act_async(os.environ[PROVIDER] + "/mails", body, ctx.idempotency_key, honoured=honoured)
        await asyncio.sleep(SLOW_ANSWER)
        return _receipt(answer)

    return agent.build()


def _receipt(answer: httpx.Response) -> Receipt:
    said: dict[str, Any] = answer.raise_for_status().json()
    return Receipt(id=said["id"])


def found_refund(decided: Decision, ctx: Context) -> Receipt | None:
    """What the provider's list says of the refund."""
    return _found("/refunds", decided.order_id, ctx.idempotency_key)


def found_mail(decided: Decision, worded: str, ctx: Context) -> Receipt | None:
    """What the provider's list says of the mail."""
    return _found("/mails", f"{decided.order_id}@example.org", ctx.idempotency_key)


def _found(path: str, whom: str, key: str) -> Receipt | None:
    found = client().get(os.environ[PROVIDER] + path, params={"key": key}).raise_for_status().json()
    if any(whom not in (act.get("order_id"), act.get("to")) for act in found):
        raise CannotTell(f"the provider knows the key {key} of somebody else")
    return Receipt(id=found[0]["id"]) if found else None


def _asking(ask: Callable[..., Any]) -> Trust:
    """A time limit belongs to it: a process that fell silent is known to be quiet only after that."""
    return {"reconcile": Reconcile(ask, settle=SETTLE, gap=GAP, retry=PATIENT), "timeouts": SHORT}


crash_agent = refunding("CrashAgent", honoured=True, pay={"provider": HONOURED}, mail={"provider": HONOURED})
hold_agent = refunding("HoldAgent", honoured=False, pay={}, mail={})
wrong_agent = refunding("WrongAgent", honoured=False, pay={"provider": HONOURED}, mail={"provider": HONOURED})
reconcile_agent = refunding("ReconcileAgent", honoured=False, pay=_asking(found_refund), mail=_asking(found_mail))
