"""Workflows for tests with real worker processes. Every act is a line in the file that ERRANDS_LOG names."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta

import httpx
from pydantic import BaseModel

from nexum.errors import NonRetryable
from nexum.sdk.context import Context
from nexum.sdk.io import IO
from nexum.sdk.policies import Breaker, Dedupes, Reconcile, Retry, Timeouts, Undo
from nexum.sdk.registry import Registry
from nexum.sdk.workflow import Workflow
from payments import WORKFLOWS

QUICK = Retry(max_attempts=4, first_wait=timedelta(milliseconds=10), jitter=0)


class Errand(BaseModel):
    name: str
    seconds: float = 0
    how: str = ""


class Done(BaseModel):
    name: str
    pid: int


def note(word: str, name: str, key: str = "") -> None:
    """Append one line at once; the file is the ground truth of what was executed."""
    line = f"{word} {name} {os.getpid()} {time.time():.3f} {key}\n"
    with open(os.environ["ERRANDS_LOG"], "a") as log:
        log.write(line)


def busy(seconds: float) -> None:
    """Be at work for so long; the handler's own time, not a test's."""
    threading.Event().wait(seconds)


def done(errand: Errand) -> Done:
    return Done(name=errand.name, pid=os.getpid())


chain = Workflow("Chain", input=Errand)


@chain.read(retry=QUICK)
def first(errand: Errand) -> Done:
    note("first", errand.name)
    return done(errand)


@chain.compute()
def second(errand: Errand, first: Done) -> Done:
    return Done(name=first.name + errand.name, pid=first.pid)


@chain.effect(tool="post", provider=Dedupes(ttl=timedelta(hours=1)), retry=QUICK)
def third(errand: Errand, second: Done, ctx: Context) -> Done:
    note("third", errand.name, ctx.idempotency_key)
    busy(errand.seconds)
    return done(errand)


sleepers = Workflow("Sleepers", input=Errand)


@sleepers.read(retry=QUICK)
async def slumber(errand: Errand) -> Done:
    note("asleep", errand.name)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), errand.seconds)
    note("awake", errand.name)
    return done(errand)


hazards = Workflow("Hazards", input=Errand)


@hazards.read(retry=QUICK)
def hazard(errand: Errand, ctx: Context) -> Done:
    note("hazard", errand.name)
    if errand.how == "kill" and ctx.attempt == 1 and _first_time(errand.name):
        os.kill(os.getpid(), signal.SIGKILL)
    if errand.how == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if errand.how == "hold":
        busy(errand.seconds)
    if errand.how == "exit" and ctx.attempt == 1:
        raise SystemExit(3)
    return done(errand)


stuck = Workflow("Stuck", input=Errand)


@stuck.read(retry=QUICK, timeouts=Timeouts(start_to_close=timedelta(milliseconds=400)))
def never(errand: Errand, ctx: Context) -> Done:
    note("never", errand.name)
    if ctx.attempt == 1:
        threading.Event().wait()
    return done(errand)


silent = Workflow("Silent", input=Errand)


@silent.read(retry=QUICK, timeouts=Timeouts(heartbeat=timedelta(milliseconds=400)))
def murmur(errand: Errand, ctx: Context) -> Done:
    note("murmur", errand.name)
    for _ in range(8):
        busy(0.1)
        ctx.heartbeat()
    if ctx.attempt == 1:
        busy(60)
    return done(errand)


held = Workflow("Held", input=Errand)


@held.effect(tool="bank", timeouts=Timeouts(start_to_close=timedelta(seconds=30)))
def wire(errand: Errand, ctx: Context) -> Done:
    note("wire", errand.name, ctx.idempotency_key)
    busy(errand.seconds)
    return done(errand)


brief = Workflow("Brief", input=Errand)


@brief.effect(tool="bank", timeouts=Timeouts(start_to_close=timedelta(milliseconds=500)))
def fleeting(errand: Errand, ctx: Context) -> Done:
    note("fleeting", errand.name, ctx.idempotency_key)
    if errand.how == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    busy(errand.seconds)
    return done(errand)


deaf = Workflow("Deaf", input=Errand)


@deaf.effect(tool="bank", timeouts=Timeouts(start_to_close=timedelta(milliseconds=300)))
async def persistent(errand: Errand) -> Done:
    note("persistent", errand.name)
    ends = asyncio.get_running_loop().time() + errand.seconds
    while (left := ends - asyncio.get_running_loop().time()) > 0:  # a client that tries again whatever happens
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(asyncio.Event().wait(), left)
    note("sent", errand.name)
    return done(errand)


guarded = Workflow("Guarded", input=Errand)
GUARD = Breaker(failures=4, within=timedelta(minutes=1), open_for=timedelta(seconds=1), probes=1)


@guarded.effect(
    tool="guarded.refund",
    provider=Dedupes(ttl=timedelta(hours=1)),
    retry=Retry(max_attempts=10, first_wait=timedelta(milliseconds=50), jitter=0),
    breaker=GUARD,
)
def repaid(errand: Errand, ctx: Context) -> Done:
    note("repaid", errand.name, ctx.idempotency_key)
    body = {"order_id": errand.name, "amount": 100, "currency": "EUR"}
    key = {"Idempotency-Key": ctx.idempotency_key}
    httpx.post(os.environ["PROVIDER"] + "/refunds", json=body, headers=key, timeout=5).raise_for_status()
    return done(errand)


asking = Workflow("Asking", input=Errand)


def find_transfer(errand: Errand, ctx: Context) -> Done | None:
    """What the bank has executed under this key."""
    note("ask", errand.name, ctx.idempotency_key)
    found = httpx.get(f"{os.environ['BANK']}/refunds", params={"key": ctx.idempotency_key}, timeout=5).json()
    return Done(name=found[0]["id"], pid=0) if found else None


@asking.effect(
    tool="bank", reconcile=Reconcile(find_transfer, settle=timedelta(milliseconds=300), gap=timedelta(milliseconds=100))
)
def transfer(errand: Errand, ctx: Context) -> Done:
    note("transfer", errand.name, ctx.idempotency_key)
    body = {"order_id": errand.name, "amount": 100, "currency": "EUR"}
    answer = httpx.post(
        f"{os.environ['BANK']}/refunds", json=body, headers={"Idempotency-Key": ctx.idempotency_key}, timeout=5
    )
    return Done(name=answer.json()["id"], pid=os.getpid())


several = Workflow("Several", input=Errand)


def pay_part(order: str, amount: int, idempotency_key: str) -> str:
    """One of several payments."""
    body = {"order_id": order, "amount": amount, "currency": "EUR"}
    headers = {"Idempotency-Key": idempotency_key}
    answer = httpx.post(f"{os.environ['BANK']}/refunds", json=body, headers=headers, timeout=5)
    return str(answer.json()["id"])


@several.effect(tool="bank", retry=QUICK)
def parts(errand: Errand, io: IO) -> Done:
    note("parts", errand.name)
    provider = Dedupes(ttl=timedelta(hours=1)) if errand.how == "dedupes" else None
    made = [io.call(pay_part, errand.name, 100 + n, name=f"part-{n}", provider=provider) for n in range(4)]
    return Done(name=",".join(made), pid=os.getpid())


trip = Workflow("Trip", input=Errand)
DAY = Dedupes(ttl=timedelta(hours=24))


def at_provider(what: str, name: str, ctx: Context) -> Done:
    """An act in the ledger of the fake provider that PROVIDER names."""
    answer = httpx.post(
        os.environ["PROVIDER"] + "/mails",
        json={"to": name, "subject": what, "body": ""},
        headers={"Idempotency-Key": ctx.idempotency_key},
        timeout=10,
    )
    return Done(name=answer.raise_for_status().json()["id"], pid=os.getpid())


def undo_flight(flight: Done, errand: Errand, ctx: Context) -> Done:
    return at_provider(f"undo {flight.name}", errand.name, ctx)


def undo_car(car: Done, errand: Errand, ctx: Context) -> Done:
    return at_provider(f"undo {car.name}", errand.name, ctx)


def undo_hotel(hotel: Done, errand: Errand, ctx: Context) -> Done:
    return at_provider(f"undo {hotel.name}", errand.name, ctx)


def undo_charge(charge: Done, errand: Errand, ctx: Context) -> Done:
    return at_provider(f"undo {charge.name}", errand.name, ctx)


@trip.effect(tool="flight", provider=DAY, retry=QUICK, compensate=Undo(undo_flight, provider=DAY, retry=QUICK))
def flight(errand: Errand, ctx: Context) -> Done:
    return at_provider("flight", errand.name, ctx)


@trip.effect(tool="car", provider=DAY, retry=QUICK, compensate=Undo(undo_car, provider=DAY, retry=QUICK))
def car(errand: Errand, ctx: Context) -> Done:
    return at_provider("car", errand.name, ctx)


@trip.effect(tool="hotel", provider=DAY, retry=QUICK, compensate=Undo(undo_hotel, provider=DAY, retry=QUICK))
def hotel(errand: Errand, ctx: Context) -> Done:
    return at_provider("hotel", errand.name, ctx)


@trip.effect(tool="charge", provider=DAY, retry=QUICK, compensate=Undo(undo_charge, provider=DAY, retry=QUICK))
def charge(errand: Errand, flight: Done, car: Done, hotel: Done, ctx: Context) -> Done:
    note("charge", errand.name)
    if errand.how == "refused":
        raise NonRetryable("the card was refused")
    while errand.how and not os.path.exists(errand.how):  # the file that lets it go on
        busy(0.02)
    return at_provider("charge", errand.name, ctx)


def _first_time(name: str) -> bool:
    with open(os.environ["ERRANDS_LOG"]) as log:
        return sum(line.startswith(f"hazard {name} ") for line in log) == 1


REGISTRY = Registry(
    [
        *(
            workflow.build()
            for workflow in (chain, sleepers, hazards, stuck, silent, held, brief, deaf, guarded, asking, several, trip)
        ),
        *WORKFLOWS,
    ]
)
