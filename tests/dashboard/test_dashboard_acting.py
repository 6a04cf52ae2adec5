"""What scripts do to runs over REST: cancel, terminate, retry, skip, fail; who may, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nexum.core.run.codec import decode
from nexum.core.run.events import Cell
from nexum.testing.samples import CLAIM

START = {"workflow": "RefundAgent", "input": CLAIM}
WHY = {"reason": "the customer withdrew"}
NODE = "purchase"


def begun(script: httpx.Client) -> str:
    """A new run, whose first node waits for a worker."""
    return str(script.post("/runs", json=START).json()["run_id"])


def test_a_run_is_cancelled_once_in_the_name_of_the_token(shop: Any) -> None:
    with shop.with_token("runs:start", "operate") as script:
        run = begun(script)
        first = script.post(f"/runs/{run}/cancel", json=WHY)
        second = script.post(f"/runs/{run}/cancel", json=WHY)

    assert (first.status_code, first.json()["run_status"]) == (200, "CANCELLED")
    request = shop.store.events_after(run, 0)[first.json()["event_seq"] - 1]
    assert (request.type, request.actor) == ("CancelRequested", "token:script")
    assert (second.status_code, second.json()["code"]) == (409, "NX-R409")
    assert "has ended as CANCELLED" in second.json()["detail"]


def test_a_cancellation_says_whether_deeds_are_undone(shop: Any) -> None:
    with shop.with_token("runs:start", "operate") as script:
        run = begun(script)
        answer = script.post(f"/runs/{run}/cancel", json={**WHY, "compensate": False})

    row = shop.store.events_after(run, 0)[answer.json()["event_seq"] - 1]
    body = decode(row.type, Cell("", 0), row.body)
    assert body.compensate is False


def test_a_run_is_terminated(shop: Any) -> None:
    with shop.with_token("runs:start", "operate") as script:
        run = begun(script)
        answer = script.post(f"/runs/{run}/terminate", json=WHY).json()

    assert (answer["schema"], answer["run_status"], answer["in_flight"]) == ("nexum.acted/1", "TERMINATED", [])


def test_a_node_is_let_fail_or_skipped(shop: Any) -> None:
    with shop.with_token("runs:start", "operate") as script:
        failed = script.post(f"/runs/{begun(script)}/nodes/{NODE}/fail", json=WHY)
        skipped = script.post(f"/runs/{begun(script)}/nodes/{NODE}/skip", json=WHY)
        replaced = script.post(f"/runs/{begun(script)}/nodes/{NODE}/skip", json={**WHY, "value": None})

    assert (failed.json()["node_status"], failed.json()["run_status"]) == ("FAILED", "FAILED")
    assert skipped.json()["node_status"] == "SKIPPED"
    assert replaced.json()["node_status"] == "COMPLETED"  # null is a value


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "told"),
    [
        ("nodes/purchase/retry", {}, 409, "NX-R409", "ready or under way"),
        ("nodes/purchsae/fail", WHY, 404, "NX-R222", "purchase"),
        ("nodes/refund/undo/retry", {}, 404, "NX-R222", "refund/undo"),
        ("nodes/purchase/fail", {}, 422, "NX-P400", "reason"),
        ("nodes/purchase/fail", {"reason": " "}, 422, "NX-R220", "reason"),
        ("cancel", {**WHY, "colour": "red"}, 422, "NX-P400", "colour"),
    ],
)
def test_what_does_not_fit_is_answered_with_a_problem_and_changes_nothing(
    shop: Any, path: str, body: Any, status: int, code: str, told: str
) -> None:
    with shop.with_token("runs:start", "operate") as script:
        run = begun(script)
        before = len(shop.store.events_after(run, 0))
        answer = script.post(f"/runs/{run}/{path}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert told in answer.text
    assert len(shop.store.events_after(run, 0)) == before


def test_a_run_that_is_not_there_is_said_to_be_missing(shop: Any) -> None:
    with shop.with_token("operate") as script:
        for run in ("0198c2a4-0000-7000-8000-000000000000", "%00", "%F0%9F%98%80"):
            answer = script.post(f"/runs/{run}/cancel", json=WHY)
            assert (answer.status_code, answer.json()["code"]) == (404, "NX-R404")


def test_who_may_start_and_read_may_not_act(shop: Any) -> None:
    with shop.with_token("runs:start", "runs:read", "payloads:read") as script:
        run = begun(script)
        answers = [
            script.post(f"/runs/{run}/{path}", json=WHY) for path in ("cancel", "terminate", "nodes/purchase/fail")
        ]

    assert {answer.status_code for answer in answers} == {403}
    assert "operate" in answers[0].json()["detail"]


def test_a_form_of_a_foreign_page_does_nothing(shop: Any) -> None:
    with shop.with_token("runs:start", "operate") as script:
        run = begun(script)
        answer = script.post(f"/runs/{run}/cancel", content='{"reason": "x"}', headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415
