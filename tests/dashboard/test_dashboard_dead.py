"""Dead letters on pages and over REST: one line for one failure, set aside by those who may."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.testing.samples import CLAIM, REFUND, fails, node, refund_graph

WHY = "the provider's outage of Tuesday"


@pytest.fixture
def group(shop: Any) -> dict[str, Any]:
    """A group of two runs that failed alike."""
    for number in (1042, 7):
        broken = fails("NX-R210", f"no card for order {number}", kind="NonRetryable", retryable=False)
        shop.stage.begin("RefundAgent", CLAIM, name=f"dead-{number}")
        shop.stage.play(refund_graph().queue, {**REFUND, "refund": [broken]})
    (found,) = [line for line in listed(shop) if line["pattern"] == "no card for order <n>"]
    return found


def listed(shop: Any, **asked: Any) -> list[dict[str, Any]]:
    with shop.with_token("runs:read") as script:
        found: list[dict[str, Any]] = script.get("/dead-letters", params=asked).json()["groups"]
    return found


def send(client: httpx.Client, name: str, **given: str) -> httpx.Response:
    page = client.get(f"/dead-letters/{name}/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    return client.post(f"/dead-letters/{name}/", data={"csrfmiddlewaretoken": token[1] if token else "", **given})


def test_the_same_failure_of_two_runs_is_one_group(shop: Any, operator: httpx.Client, group: dict[str, Any]) -> None:
    detail = operator.get(f"/dead-letters/{group['fingerprint']}.json").json()
    page = operator.get(f"/dead-letters/{group['fingerprint']}/").text

    assert (group["workflow"], group["node"], group["code"]) == ("RefundAgent", "refund", "NX-R210")
    assert group["count"] == len(detail["members"]) >= 2
    assert detail["members"][0]["message"] == "no card for order 7"
    assert {member["parked"] for member in detail["members"]} == {False}
    assert detail["sample"]["trace"].startswith("Traceback")
    assert "Its run has ended: what is over is not begun again." in page
    assert group["fingerprint"] in operator.get("/dead-letters/").text


def test_tracebacks_are_for_those_who_may_read_payloads(shop: Any, group: dict[str, Any]) -> None:
    with shop.as_user("viewer") as viewer:
        page = viewer.get(f"/dead-letters/{group['fingerprint']}/").text
        refused = send(viewer, group["fingerprint"], act="ignore", reason=WHY)

    assert "Traceback" not in page
    assert "nexum.control_run" in page
    assert refused.status_code == 403


def test_skipping_needs_a_permission_of_its_own(shop: Any, group: dict[str, Any]) -> None:
    with shop.as_user("support") as support:
        refused = [send(support, group["fingerprint"], act=act, why=WHY) for act in ("skip", "preview-skip")]
        done = send(support, group["fingerprint"], act="assign", value="support")

    assert [answer.status_code for answer in refused] == [403, 403]
    assert "nexum.rewind_run" in refused[0].text
    assert done.status_code == 303


def test_a_group_is_ignored_with_a_reason_and_shown_again(
    shop: Any, operator: httpx.Client, group: dict[str, Any]
) -> None:
    name = group["fingerprint"]
    without = send(operator, name, act="ignore", reason=" ")
    done = send(operator, name, act="ignore", reason=WHY, seconds="3600")
    ignored = operator.get(f"/dead-letters/{name}.json").json()["group"]
    hidden = [line["fingerprint"] for line in listed(shop, ignored=False)]
    send(operator, name, act="notice")

    assert (without.status_code, "Nothing was recorded." in without.text) == (422, True)
    assert done.status_code == 303
    assert (ignored["state"], ignored["by"], ignored["reason"]) == ("ignored", "operator", WHY)
    assert ignored["until"] is not None
    assert name not in hidden
    assert operator.get(f"/dead-letters/{name}.json").json()["group"]["state"] == "open"


def parked(shop: Any, name: str) -> tuple[str, dict[str, Any]]:
    """A run whose only node is parked, and its group."""
    policy = RetryPolicy(max_attempts=1, exhausted="park")
    pay = node(Effect, "pay", "input", tool="pay.refund", doubt=Hold(), retry=policy)
    graph = Graph(workflow=name, input={}, nodes=(pay,), result=("pay",))
    shop.stage.register(graph)
    run_id = shop.stage.begin(name, 1, name=name)
    shop.stage.play(graph.queue, {"pay": [fails("NX-R200", "connection refused")]})
    (found,) = [line for line in listed(shop) if line["workflow"] == name]
    return run_id, found


def test_a_parked_node_is_tried_again_from_its_page(shop: Any, operator: httpx.Client) -> None:
    run_id, group = parked(shop, "ParkedHere")
    page = operator.get(f"/dead-letters/{group['fingerprint']}/").text
    done = send(operator, group["fingerprint"], act="retry", reason="it is up")
    events = operator.get(f"/runs/{run_id}/?tab=events").text

    assert (group["count"], group["parked"]) == (1, 1)
    assert "1 of 1 waits for a person." in page
    assert "under the same key" in page
    assert (done.status_code, done.headers["Location"].partition("?")[0]) == (303, "/nexum/dead-letters/")
    assert "RetryRequested" in events
    assert [line for line in listed(shop) if line["workflow"] == "ParkedHere"] == []


def test_a_script_tries_parked_nodes_again(shop: Any) -> None:
    run_id, group = parked(shop, "ParkedThere")
    address = f"/dead-letters/{group['fingerprint']}/retry"
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post(address, json={"reason": "it is up"})
        done = script.post(address, json={"reason": "it is up"})
        gone = script.post(address, json={"reason": "it is up"})

    assert refused.status_code == 403
    assert [(each["run_id"], each["node"], each["refused"]) for each in done.json()["nodes"]] == [(run_id, "pay", "")]
    assert gone.status_code == 404


def test_a_script_ignores_a_group_with_a_token_that_may(shop: Any, group: dict[str, Any]) -> None:
    address = f"/dead-letters/{group['fingerprint']}/ignore"
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post(address, json={"reason": WHY})
        done = script.post(address, json={"reason": WHY})
        unfit = script.post(address, json={"reason": "", "seconds": -1})
        empty = script.post(address, json={"reason": " "})
        back = [script.delete(address).json()["group"]["state"] for _ in range(2)]

    assert (refused.status_code, unfit.status_code) == (403, 422)
    assert (empty.status_code, empty.json()["code"]) == (422, "NX-R442")
    assert (done.json()["group"]["state"], done.json()["group"]["by"]) == ("ignored", "token:script")
    assert back == ["open", "open"]


def test_a_group_that_does_not_exist_is_a_page_and_a_problem_with_404(shop: Any, operator: httpx.Client) -> None:
    with shop.with_token("runs:read") as script:
        answer = script.get("/dead-letters/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "NX-R441")
    assert operator.get("/dead-letters/nothing/").status_code == 404
