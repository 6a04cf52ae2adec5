"""The REST interface as scripts use it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nexum.testing.samples import CLAIM

START = {"workflow": "RefundAgent", "input": CLAIM}


def test_a_run_is_started_where_its_address_says(shop: Any) -> None:
    with shop.with_token("runs:start", "runs:read", "payloads:read") as script:
        answer = script.post("/runs", json={**START, "run_key": "api-1", "subject": "shop.Order:9"})
        found = script.get(answer.headers["Location"].removeprefix("/nexum/api/v1")).json()

    assert answer.status_code == 201
    assert answer.json()["existing"] is False
    assert found["run"]["run_id"] == answer.json()["run_id"]
    assert (found["run"]["run_key"], found["run"]["subject"]) == ("api-1", "shop.Order:9")
    assert (found["input"]["value"], found["actor"]) == (CLAIM, "token:script")


def test_the_same_idempotency_key_with_the_same_input_names_the_same_run(shop: Any) -> None:
    with shop.with_token("runs:start") as script:
        first, second = (script.post("/runs", json=START, headers={"Idempotency-Key": "9f1"}) for _ in range(2))
        other = script.post("/runs", json={**START, "input": CLAIM | {"text": "x"}}, headers={"Idempotency-Key": "9f1"})
        free = script.post("/runs", json=START)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {**first.json(), "existing": True}
    assert (other.status_code, other.json()["code"]) == (409, "NX-R409")
    assert free.json()["run_id"] != first.json()["run_id"]


def test_a_run_key_of_ones_own_stands_above_the_header(shop: Any) -> None:
    with shop.with_token("runs:start") as script:
        made = [
            script.post("/runs", json={**START, "run_key": "api-2"}, headers={"Idempotency-Key": key}).json()["run_id"]
            for key in ("a", "b")
        ]

    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        ({**START, "input": {"order_id": 7}}, 422, "NX-R101", "$.customer"),
        ({**START, "workflow": "RefundAgnet"}, 404, "NX-D201", "RefundAgent"),
        ({"workflow": "RefundAgent"}, 422, "NX-P400", "input"),
        ({**START, "priority": 99}, 422, "NX-P400", "priority"),
        ({**START, "colour": "red"}, 422, "NX-P400", "colour"),
    ],
)
def test_a_request_that_does_not_fit_is_answered_with_a_problem(
    shop: Any, body: Any, status: int, code: str, told: str
) -> None:
    with shop.with_token("runs:start") as script:
        answer = script.post("/runs", json=body)
    problem = answer.json()

    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told in problem["detail"]
    assert problem["type"] == f"/nexum/e/{code}/"
    assert problem["fixes"]


def test_an_input_that_utf8_cannot_carry_is_refused_with_its_place(shop: Any) -> None:
    body = json.dumps({**START, "input": {**CLAIM, "text": "half \ud83d"}})
    with shop.with_token("runs:start") as script:
        answer = script.post("/runs", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (422, "NX-R102")
    assert answer.json()["problems"][0]["path"] == "$.text"


def test_a_body_that_is_not_json_is_refused_by_its_type(shop: Any) -> None:
    with shop.with_token("runs:start") as script:
        broken = script.post("/runs", content=b"{", headers={"Content-Type": "application/json"})
        plain = script.post(
            "/runs", content=b'{"workflow": "RefundAgent", "input": {}}', headers={"Content-Type": "text/plain"}
        )

    assert (broken.status_code, plain.status_code) == (400, 415)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(f"00-{'a1' * 16}-{'b2' * 8}-01", True), ("x" * 52 + "---", False), (f"00-{'0' * 32}-{'b2' * 8}-01", False)],
)
def test_the_callers_trace_is_kept_when_it_is_one(shop: Any, given: str, kept: bool) -> None:
    with shop.with_token("runs:start", "runs:read") as script:
        made = script.post("/runs", json=START, headers={"traceparent": given}).json()["run_id"]
        trace = script.get(f"/runs/{made}/events/1").json()["trace"]

    assert (trace == given) is kept
    assert len(trace) == 55


def test_runs_are_listed_by_filter_and_cursor(shop: Any) -> None:
    with shop.with_token("runs:read") as script:
        failed = script.get("/runs", params={"q": "status:failed key:order-1044"}).json()
        first = script.get("/runs", params={"limit": 2}).json()
        second = script.get("/runs", params={"limit": 2, "after": first["next"]}).json()
        wrong = script.get("/runs", params={"q": "sttaus:failed"})

    assert [run["run_id"] for run in failed["runs"]] == [shop.ids["failed"]]
    assert failed["runs"][0]["standing"]["code"] == "failed"
    assert {run["run_id"] for run in first["runs"]}.isdisjoint(run["run_id"] for run in second["runs"])
    assert wrong.status_code == 400
    assert wrong.json()["problems"][0]["wanted"] == "status:failed"


def test_events_are_read_page_by_page(shop: Any) -> None:
    address = f"/runs/{shop.ids['repaired']}/events"
    with shop.with_token("runs:read") as script:
        seen, after = [], 0
        while True:
            page = script.get(address, params={"after": after, "limit": 5}).json()
            seen += [event["seq"] for event in page["events"]]
            after = page["next"]
            if not after:
                break
        repairs = script.get(address, params={"node": "verdict"}).json()["events"]

    assert seen == list(range(1, page["last_seq"] + 1))
    assert {event["node"] for event in repairs} == {"verdict", "verdict/repair.1", "verdict/repair.2"}


@pytest.mark.parametrize(
    "path", ["/runs/nothing", "/runs/nothing/events", "/runs/{completed}/events/999", "/runs/{completed}/nodes/x"]
)
def test_what_is_not_there_is_a_problem_with_404(shop: Any, path: str) -> None:
    with shop.with_token("runs:read") as script:
        answer = script.get(path.format(**shop.ids))

    assert (answer.status_code, answer.json()["code"]) == (404, "NX-R404")


def test_the_document_describes_every_operation(shop: Any) -> None:
    with shop.with_token("runs:read") as script:
        document = script.get("/openapi.json").json()
    operations = [op for path in document["paths"].values() for op in path.values()]

    assert document["openapi"].startswith("3.1")
    assert {op["operationId"] for op in operations} == {
        *("start_run", "list_runs", "get_run", "list_events", "get_event", "get_node", "list_versions"),
        *("cancel_run", "terminate_run", "retry_node", "skip_node", "fail_node"),
        *("list_effects_in_doubt", "get_effect_in_doubt", "resolve_effect", "ask_provider", "acknowledge_duplicate"),
        *("cancel_run", "terminate_run", "retry_node", "skip_node", "fail_node"),
        *("list_breakers", "hold_breaker"),
        *("list_dead_letters", "get_dead_letters", "ignore_dead_letters", "notice_dead_letters"),
        *("retry_dead_letters", "skip_dead_letters"),
        *("acknowledge_dead_letters", "assign_dead_letters", "fix_dead_letters"),
    }
    for op in operations:
        assert "application/problem+json" in op["responses"]["401"]["content"]
        assert op["security"] == [{"Bearer": []}]
