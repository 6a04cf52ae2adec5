"""Workflows that are killed at every crash point; the ledger of the provider at PAYMENTS_URL says what they did."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

from pydantic import BaseModel

from nexum.sdk.context import Context
from nexum.sdk.io import IO
from nexum.sdk.policies import Dedupes, Retry, Timeouts
from nexum.sdk.prompt import Prompt
from nexum.sdk.workflow import Workflow
from nexum.testing.crash.sending import act
from nexum_workers.models.scripted import Rule, Script

PATIENT = Retry(max_attempts=50, first_wait=timedelta(milliseconds=10), jitter=0)
URL = "PAYMENTS_URL"


class Payment(BaseModel):
    name: str
    seconds: float = 0
    how: str = ""


class Note(BaseModel):
    text: str


class Receipt(BaseModel):
    id: str


paying = Workflow("Paying", input=Payment)


@paying.read(retry=PATIENT)
def left(payment: Payment) -> Note:
    return Note(text=payment.name)


@paying.read(retry=PATIENT)
def right(payment: Payment) -> Note:
    return Note(text=payment.name)


@paying.compute()
def both(left: Note, right: Note) -> Note:
    return Note(text=left.text + right.text)


@paying.llm(model="scripted:payments:CLERK", retry=PATIENT)
def worded(both: Note) -> Prompt[Note]:
    return Prompt(f"Word it: {both.text}")


@paying.effect(tool="pay.refund", provider=Dedupes(ttl=timedelta(hours=1)), reference="id", retry=PATIENT)
def refunded(payment: Payment, worded: Note, ctx: Context) -> Receipt:
    return _refunded(payment, ctx.idempotency_key)


def spelled(name: str) -> str:
    return name


@paying.effect(tool="files", provider=Dedupes(ttl=timedelta(hours=1)), retry=PATIENT)
def filed(refunded: Receipt, io: IO) -> Note:
    return Note(text=io.read(spelled, refunded.id))


unsure = Workflow("Unsure", input=Payment)


@unsure.effect(tool="pay.refund", reference="id", retry=PATIENT)
def wired(payment: Payment, ctx: Context) -> Receipt:
    return _refunded(payment, ctx.idempotency_key)


overdue = Workflow("Overdue", input=Payment)


@overdue.read(retry=PATIENT, timeouts=Timeouts(schedule_to_close=timedelta(milliseconds=300)))
def awaited(payment: Payment) -> Note:
    raise RuntimeError("not yet")


unheard = Workflow("Unheard", input=Payment)


@unheard.read(retry=Retry(max_attempts=1), timeouts=Timeouts(schedule_to_start=timedelta(milliseconds=100)))
def taken(payment: Payment) -> Note:
    return Note(text=payment.name)


doomed = Workflow("Doomed", input=Payment)


@doomed.read(retry=PATIENT)
def deadly(payment: Payment) -> Note:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _refunded(payment: Payment, key: str) -> Receipt:
    body = {"order_id": payment.name, "amount": 4200, "currency": "EUR"}
    return Receipt(id=act(os.environ[URL] + "/refunds", body, key).raise_for_status().json()["id"])


CLERK = Script(default=Rule("", ('{"text": "refunded"}',)))
WORKFLOWS = tuple(workflow.build() for workflow in (paying, unsure, overdue, unheard, doomed))
