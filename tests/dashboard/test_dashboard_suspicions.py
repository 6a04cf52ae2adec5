"""What may have been done twice, on its page, over REST and from a terminal: acknowledged by those who may."""

from __future__ import annotations

import re
from typing import Any

import httpx

from nexum.testing.samples import CLAIM, REFUND, refund_graph
from troubled import act_twice

WHY = "the second charge was refunded by hand"


def twice(shop: Any, name: str) -> str:
    """The key of an effect that may have been done twice."""
    run_id = shop.stage.begin("RefundAgent", CLAIM, name=name)
    shop.stage.play(refund_graph().queue, REFUND)
    return act_twice(shop.store, run_id, "refund", reference=f"re_{name}")


def send(client: httpx.Client, key: str, reason: str) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(f"/in-doubt/{key}/").text)
    body = {"csrfmiddlewaretoken": token[1] if token else "", "outcome": "acknowledge", "reason": reason}
    return client.post(f"/in-doubt/{key}/", data=body)


def test_an_operator_acknowledges_on_the_effects_page(shop: Any, operator: httpx.Client) -> None:
    key = twice(shop, "page")
    before = operator.get(f"/in-doubt/{key}/").text
    alarms = operator.get("/in-doubt.json").json()["alarms"]
    empty = send(operator, key, " ")
    done = send(operator, key, WHY)
    after = operator.get(f"/in-doubt/{key}/").text

    assert 'value="acknowledge"' in before
    assert "probably" not in before
    assert (empty.status_code, "NX-E401" in empty.text) == (422, True)
    assert done.status_code == 303
    assert WHY in after
    assert 'value="acknowledge"' not in after
    assert operator.get("/in-doubt.json").json()["alarms"] == alarms - 1


def test_a_viewer_sees_the_alarm_and_may_not_end_it(shop: Any) -> None:
    key = twice(shop, "viewer")
    with shop.as_user("viewer") as viewer:
        page = viewer.get(f"/in-doubt/{key}/").text
        refused = send(viewer, key, WHY)

    assert "Acknowledging needs <code>nexum.resolve_effect</code>" in page
    assert refused.status_code == 403


def test_a_script_acknowledges_with_a_token_that_may(shop: Any) -> None:
    key = twice(shop, "rest")
    address = f"/effects/in-doubt/{key}/acknowledge"
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post(address, json={"reason": WHY})
        unfit = script.post(address, json={"reason": ""})
        done = script.post(address, json={"reason": WHY})
        again = script.post(address, json={"reason": WHY})
        nowhere = script.post("/effects/in-doubt/nx1-0/acknowledge", json={"reason": WHY})

    assert (refused.status_code, unfit.status_code) == (403, 422)
    assert [(view["actor"], view["reason"]) for view in done.json()["suspected"]] == [("token:script", WHY)]
    assert (again.status_code, again.json()["code"]) == (409, "NX-E232")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "NX-E404")
