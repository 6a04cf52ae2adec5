"""What a handler sees: the same time and the same chance in every attempt of a visit."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nexum import Context, Dedupes, Message, Prompt, Retry, Timeouts
from nexum.core.graph.nodes import Compute, Handler
from nexum.core.graph.policies import RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell
from nexum.engine.work import Work
from nexum.store.api import TaskKey

INTEGER = {"type": "integer"}


def work(**changed: Any) -> Work:
    node = Compute(id="pay", handler=Handler(ref="m:pay"), output=INTEGER)
    values: dict[str, Any] = {
        "task": TaskKey("run-1", "pay", 1, -1, 2),
        "token": 1,
        "deliveries": 1,
        "graph": Graph(workflow="A", input=INTEGER, nodes=(node,), result=("pay",)),
        "node": node,
        "cell": Cell("pay", 1),
        "attempt": 2,
        "inputs": (),
        "input_hash": "",
        "key": "nx1-k",
        "model": "",
        "max_run": 0,
        "now": 5,
        "scheduled_at": 1_750_000_000_000_001,
        "tenant": "acme",
        "run_key": "claim:7",
        "trace": "",
    }
    return Work(**{**values, **changed})


def test_a_context_shows_the_attempt() -> None:
    ctx = Context.of(work())

    assert (ctx.run_id, ctx.run_key, ctx.tenant) == ("run-1", "claim:7", "acme")
    assert (ctx.node, ctx.visit, ctx.attempt, ctx.idempotency_key) == ("pay", 1, 2, "nx1-k")


def test_now_is_when_the_visit_was_scheduled() -> None:
    assert Context.of(work()).now == datetime(2025, 6, 15, 15, 6, 40, 1, tzinfo=UTC)


def test_every_attempt_draws_the_same_numbers() -> None:
    one, two = Context.of(work()), Context.of(work(attempt=3, now=99))

    assert [one.random.random(), one.uuid4(), one.uuid4()] == [two.random.random(), two.uuid4(), two.uuid4()]


def test_two_uuids_of_one_attempt_differ() -> None:
    ctx = Context.of(work())

    assert ctx.uuid4() != ctx.uuid4()
    assert ctx.uuid4().version == 4


@pytest.mark.parametrize("cell", [Cell("pay", 2), Cell("pay", 1, 0), Cell("refund", 1)])
def test_another_visit_item_or_node_draws_other_numbers(cell: Cell) -> None:
    assert Context.of(work(cell=cell)).random.random() != Context.of(work()).random.random()


def test_another_run_draws_other_numbers() -> None:
    assert Context(run_id="a").uuid4() != Context(run_id="b").uuid4()


def test_the_numbers_never_change_between_releases() -> None:
    ctx = Context(run_id="r", node="n")

    assert ctx.uuid4() == uuid.UUID("1122c8b3-ae0a-468a-9bf8-0f49c56b617c")


def test_a_heartbeat_is_passed_on() -> None:
    told: list[object] = []

    Context.of(work(), told.append).heartbeat({"page": 3})
    Context().heartbeat()

    assert told == [{"page": 3}]


def test_the_providers_reference_is_noted() -> None:
    ctx = Context()
    assert ctx.noted_reference == ""

    ctx.reference("re_1")

    assert ctx.noted_reference == "re_1"


def test_a_log_record_carries_run_and_node(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="nexum.handler"):
        Context.of(work()).log.info("paid")

    (record,) = caplog.records
    assert (record.run_id, record.node, record.attempt) == ("run-1", "pay", 2)  # type: ignore[attr-defined]


def test_public_policies_have_the_defaults_of_the_graph() -> None:
    assert Retry().policy() == RetryPolicy()
    assert Timeouts().policy() == TimeoutPolicy()


def test_public_policies_are_written_in_microseconds() -> None:
    policy = Retry(first_wait=timedelta(milliseconds=1), ceiling=timedelta(hours=1)).policy()

    assert (policy.first_wait, policy.ceiling) == (1_000, 3_600_000_000)
    assert Timeouts(start_to_close=None, heartbeat=timedelta(seconds=2)).policy() == TimeoutPolicy(
        start_to_close=0, heartbeat=2_000_000
    )
    assert Dedupes(ttl=timedelta(days=1)).policy().ttl == 86_400_000_000


def test_exceptions_stand_in_the_graph_by_name() -> None:
    policy = Retry(retry_on=(ConnectionError, "httpx.HTTPError"), never_on=(uuid.SafeUUID,)).policy()  # type: ignore[arg-type]

    assert (policy.retry_on, policy.never_on) == (("ConnectionError", "httpx.HTTPError"), ("uuid.SafeUUID",))


def test_a_prompt_is_a_text_or_messages() -> None:
    assert Prompt[int]("hello").messages == (Message("user", "hello"),)
    assert Prompt[int]([Message("system", "be brief"), Message("user", "hello")]).messages[0].role == "system"
    assert Prompt[int]("a") == Prompt[int]([Message("user", "a")])


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to send"):
        Prompt[int]("")
    with pytest.raises(TypeError, match="not dict"):
        Prompt[int]([{"role": "user"}])  # type: ignore[list-item]
