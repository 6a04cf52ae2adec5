"""What the status of a provider's answer proves: with a provider that really answers, and the clients' own errors."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from findings import errors
from nexum import Answered, Dedupes, Retry, Workflow
from nexum.core.canonical import canonical_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import parse_graph
from nexum.core.run.events import Cell
from nexum.engine.work import Failed, Outcome, Work
from nexum.store.api import TaskKey
from nexum.testing.fakes import Fake, running
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door
from nexum_workers.outcome import failure, status_of

DAY = timedelta(hours=24)


class Order(BaseModel):
    number: str
    url: str
    mode: str


class Receipt(BaseModel):
    id: str


def refund(order: Order) -> Receipt:
    body = {"order_id": order.number, "amount": 100, "currency": "EUR"}
    headers = {"Idempotency-Key": order.number, "X-Fake-Mode": order.mode}
    answer = httpx.post(f"{order.url}/refunds", json=body, headers=headers, timeout=5)
    return Receipt(id=answer.raise_for_status().json()["id"])


def flow(provider: Any) -> Workflow[Order]:
    agent = Workflow("Paying", input=Order)
    agent.effect(tool="pay", provider=provider, retry=Retry(max_attempts=2))(refund)
    return agent


def node(provider: Any) -> Effect:
    found = flow(provider).build().graph["refund"]
    assert isinstance(found, Effect)
    return found


@pytest.fixture
def pay(tmp_path: Path) -> Iterator[Fake]:
    with running("fakepay", ledger=str(tmp_path / "ledger.jsonl")) as fake:
        yield fake


def asked(pay: Fake, provider: Any, mode: str) -> Outcome:
    built = flow(provider).build()
    order = {"number": "o-1", "url": pay.url, "mode": mode}
    work = Work(
        task=TaskKey("0193-run", "refund", 1, -1, 1),
        token=1,
        deliveries=1,
        graph=built.graph,
        node=built.graph["refund"],
        cell=Cell("refund"),
        attempt=1,
        inputs=(("order", canonical_bytes(order)),),
        input_hash="",
        key="nx1-key",
        model="",
        max_run=0,
        now=0,
        scheduled_at=0,
        tenant="default",
        run_key="",
        trace="",
    )
    return Attempts([built], door=Door(), max_payload=1_000).execute(work, lambda _: None)


@pytest.mark.parametrize(
    ("provider", "mode", "sent", "status"),
    [
        (Dedupes(ttl=DAY), "503-before", "unknown", 503),
        (Dedupes(ttl=DAY, not_executed=(503,)), "503-before", "no", 503),
        (Dedupes(ttl=DAY, not_executed=(503,)), "stored-500", "unknown", 500),
        (Dedupes(ttl=DAY, stored_errors=True), "stored-500", "unknown", 500),
        (None, "503-before", "unknown", 503),
        (Dedupes(ttl=DAY, not_executed=(503,)), "reset-after", "unknown", 0),
    ],
)
def test_an_answer_proves_what_its_provider_declares_and_nothing_else(
    pay: Fake, provider: Any, mode: str, sent: str, status: int
) -> None:
    outcome = asked(pay, provider, mode)

    assert isinstance(outcome, Failed)
    assert (outcome.sent, outcome.status, outcome.error.retryable) == (sent, status, True)
    assert len(pay.get("/ledger")) == (1 if mode == "reset-after" else 0)


class _Response:
    status_code = 503


def _made(module: str, name: str, **fields: Any) -> BaseException:
    """An error as a client that is not installed here would raise it."""
    kind = type(name, (Exception,), {"__module__": module})
    error = kind("refused")
    for field, value in fields.items():
        setattr(error, field, value)
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Answered(503), 503),
        (urllib.error.HTTPError("http://pay", 503, "busy", Message(), None), 503),
        (_made("requests.exceptions", "HTTPError", response=_Response()), 503),
        (_made("requests.exceptions", "HTTPError", response=None), 0),
        (_made("aiohttp.client_exceptions", "ClientResponseError", status=503), 503),
        (TimeoutError("no answer"), 0),
    ],
)
def test_the_errors_of_usual_clients_for_a_status_are_read(error: BaseException, status: int) -> None:
    assert status_of(error) == status
    expected = "no" if status else "unknown"
    assert failure(error, node(Dedupes(ttl=DAY, not_executed=(503,)))).sent == expected


def test_a_client_of_ones_own_says_the_status_itself() -> None:
    error = Answered(500)

    assert (error.code, error.status) == ("NX-E212", 500)
    assert "status 500" in error.message
    assert failure(error, node(Dedupes(ttl=DAY))).sent == "unknown"


def test_a_profile_is_part_of_the_version_and_its_absence_changes_none() -> None:
    plain, full = flow(Dedupes(ttl=DAY)), flow(Dedupes(ttl=DAY, stored_errors=True, not_executed=(503, 429)))

    assert b"stored_errors" not in plain.build().graph.data
    assert plain.build().version != full.build().version
    assert parse_graph(full.build().graph.data) == full.build().graph


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        (Dedupes(ttl=DAY, stored_errors=1), "stored_errors is 1, not True or False"),  # type: ignore[arg-type]
        (Dedupes(ttl=DAY, not_executed=503), "not_executed is 503, not a tuple of HTTP statuses"),  # type: ignore[arg-type]
        (Dedupes(ttl=DAY, not_executed=(42,)), "not_executed.0 is 42"),
    ],
)
def test_a_profile_that_cannot_be_is_a_finding(provider: Dedupes, said: str) -> None:
    (found,) = errors(flow(provider))

    assert found.code == "NX-B124"
    assert said in found.message
