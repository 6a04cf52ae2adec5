"""Effects whose tool needs two people: on the page, over REST, and in the list."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from nexum.store.doubts import doubts
from troubled import doubt, paying

RESPONSE = {"id": "re_9"}


def held(shop: Any, name: str) -> str:
    """The key of an effect in doubt whose tool needs two people."""
    run_id = doubt(shop.stage, paying("PaidByTwo", tool="pay.twice"), name)
    return doubts(shop.store, run_id=run_id)[0].key


def send(client: httpx.Client, key: str, outcome: str, **more: str) -> httpx.Response:
    page = client.get(f"/in-doubt/{key}/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    body = {"csrfmiddlewaretoken": token[1] if token else "", "outcome": outcome, "attempt": "1", "reason": "looked"}
    return client.post(f"/in-doubt/{key}/", data={**body, **more})


def test_a_second_operator_decides_the_same_with_one_button(shop: Any, operator: httpx.Client) -> None:
    key = held(shop, "two-page")
    send(operator, key, "happened", response=json.dumps(RESPONSE), reference="re_9")
    waiting = operator.get(f"/in-doubt/{key}.json").json()
    own = operator.get(f"/in-doubt/{key}/").text
    refused = send(operator, key, "happened", confirms=str(waiting["proposed"]["seq"]))
    with shop.as_user("second") as second:
        page = second.get(f"/in-doubt/{key}/").text
        listed = second.get("/in-doubt/").text
        run = second.get(f"/runs/{waiting['effect']['run_id']}/").text
        done = send(second, key, "happened", confirms=str(waiting["proposed"]["seq"]), reference="re_9")
        after = second.get(f"/in-doubt/{key}.json").json()

    assert (waiting["held"], waiting["proposed"]["by"], waiting["proposed"]["reference"]) == (True, "operator", "re_9")
    assert "You have decided so yourself" in own
    assert (refused.status_code, "NX-E411" in refused.text) == (409, True)
    assert "Decide the same" in page
    assert "waits for a second person" in listed
    assert "operator has decided (happened), and it waits for a second person." in run
    assert done.status_code == 303
    assert (after["held"], after["state"], after["proposed"]) == (False, "completed", None)
    assert [m["what"] for m in after["evidence"]][-2:] == [
        "decided: it happened; waits for a second person",
        "decided by a second person: it happened",
    ]


def test_two_tokens_decide_over_rest(shop: Any) -> None:
    key = held(shop, "two-rest")
    body = {"outcome": "abandon", "reason": "nobody can tell"}
    with shop.with_token("operate") as script, shop.as_user("second") as second:
        first = script.post(f"/effects/in-doubt/{key}/resolve", json=body)
        same = script.post(f"/effects/in-doubt/{key}/resolve", json=body)
        changed = script.post(f"/effects/in-doubt/{key}/resolve", json={**body, "confirms": first.json()["seq"] + 1})
        moved = script.post(f"/effects/in-doubt/{key}/resolve", json={**body, "last_seq": 1})
        done = send(second, key, "abandon")

    assert (first.status_code, first.json()["pending"], first.json()["node_status"]) == (200, True, "IN_DOUBT")
    assert (same.status_code, same.json()["code"]) == (409, "NX-E411")
    assert (changed.status_code, changed.json()["code"]) == (409, "NX-E412")
    assert (moved.status_code, moved.json()["code"]) == (409, "NX-R409")
    assert done.status_code == 303
