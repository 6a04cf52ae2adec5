"""Groups of dead letters: acknowledged, assigned, fixed in a version and failed again, on the page, over REST and in words."""

from __future__ import annotations

import re
from typing import Any

import httpx

from troubled import park, parking


def group_of(shop: Any, name: str) -> dict[str, Any]:
    """The one group of a workflow."""
    with shop.with_token("runs:read") as script:
        (found,) = script.get("/dead-letters", params={"workflow": name}).json()["groups"]
    assert isinstance(found, dict)
    return found


def send(client: httpx.Client, fingerprint: str, act: str, **given: str) -> httpx.Response:
    address = f"/dead-letters/{fingerprint}/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(address).text)
    return client.post(address, data={"csrfmiddlewaretoken": token[1] if token else "", "act": act, **given})


def test_an_acknowledged_group_is_open_again_with_the_next_failure(shop: Any, operator: httpx.Client) -> None:
    park(shop.stage, parking("Known"), "known-1")
    name = group_of(shop, "Known")["fingerprint"]
    silent = send(operator, name, "acknowledge", reason=" ")
    done = send(operator, name, "acknowledge", reason="the bank mends it")
    known, page = group_of(shop, "Known"), operator.get(f"/dead-letters/{name}/").text
    park(shop.stage, parking("Known"), "known-2")
    again, after = group_of(shop, "Known"), operator.get(f"/dead-letters/{name}/").text

    assert (silent.status_code, "NX-R442" in silent.text, done.status_code) == (422, True, 303)
    assert (known["state"], known["by"], known["reason"]) == ("acknowledged", "operator", "the bank mends it")
    assert "until it fails again" in page
    assert (again["state"], again["reopened"]) == ("open", True)
    assert "It was acknowledged, and has failed since." in after
    assert "the bank mends it" in after


def test_a_group_that_was_fixed_and_fails_in_a_later_version_has_regressed(shop: Any, operator: httpx.Client) -> None:
    old, new = parking("Mended"), parking("Mended", " of spring")
    park(shop.stage, old, "mended-1")
    name = group_of(shop, "Mended")["fingerprint"]
    shop.stage.register(new)
    version = new.version.removeprefix("sha256:")
    unknown = send(operator, name, "fixed", version="ffffffffffff", reason="mended")
    done = send(operator, name, "fixed", version=version[:8], reason="mended")
    fixed = group_of(shop, "Mended")
    shop.stage.register(old)
    park(shop.stage, old, "mended-2")
    still = group_of(shop, "Mended")
    park(shop.stage, new, "mended-3")
    regressed, page = group_of(shop, "Mended"), operator.get("/dead-letters/").text

    assert (unknown.status_code, "NX-R442" in unknown.text, done.status_code) == (422, True, 303)
    assert (fixed["state"], fixed["fixed_in"]) == ("fixed", version[:8])
    assert still["state"] == "fixed"
    assert (regressed["state"], regressed["count"]) == ("regressed", 3)
    assert ">regressed</span>" in page
    assert f"fixed in <code>{version[:8]}</code>" in operator.get(f"/dead-letters/{name}/").text


def test_a_failure_that_only_the_newest_version_has_says_so(shop: Any, operator: httpx.Client) -> None:
    shop.stage.register(parking("Newest"))
    park(shop.stage, parking("Newest", " of spring"), "newest-1")
    found = group_of(shop, "Newest")
    page = operator.get(f"/dead-letters/{found['fingerprint']}/").text

    assert found["only"] is True
    assert "Only in version" in page
    assert 'class="spark" role="img" aria-label="1 in ' in page
    assert sum(found["occurrences"]) == 1


def test_somebody_is_assigned_and_the_group_keeps_who_decided_what(shop: Any, operator: httpx.Client) -> None:
    park(shop.stage, parking("Assigned"), "assigned-1")
    name = group_of(shop, "Assigned")["fingerprint"]
    done = send(operator, name, "assign", to="ken")
    send(operator, name, "ignore", reason="until tomorrow", seconds="3600")
    with shop.with_token("operate", "runs:read") as script:
        nobody = script.post(f"/dead-letters/{name}/assign", json={"to": ""}).json()

    assert done.status_code == 303
    assert [(d["what"], d["value"], d["actor"]) for d in nobody["decisions"]] == [
        ("assign", "ken", "operator"),
        ("ignore", "", "operator"),
        ("assign", "", "token:script"),
    ]
    assert (nobody["group"]["assigned"], nobody["group"]["state"]) == ("", "ignored")


def test_scripts_decide_with_a_token_that_may(shop: Any) -> None:
    park(shop.stage, parking("ByScript"), "by-script-1")
    found = group_of(shop, "ByScript")
    address, version = f"/dead-letters/{found['fingerprint']}", found["versions"][0]
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = [
            reader.post(f"{address}/{what}", json=body).status_code
            for what, body in (
                ("acknowledge", {"reason": "known"}),
                ("assign", {"to": "ken"}),
                ("fixed", {"version": version, "reason": "mended"}),
            )
        ]
        known = script.post(f"{address}/acknowledge", json={"reason": "known"}).json()["group"]["state"]
        fixed = script.post(f"{address}/fixed", json={"version": version, "reason": "mended"}).json()["group"]
        wrong = script.post(f"{address}/fixed", json={"version": "zz", "reason": "mended"})
        unfit = script.post(f"{address}/assign", json={"to": "x\x00"})
        nowhere = script.post("/dead-letters/nothing/acknowledge", json={"reason": "known"})

    assert refused == [403, 403, 403]
    assert (known, fixed["state"], fixed["fixed_in"]) == ("acknowledged", "fixed", version)
    assert [(answer.status_code, answer.json()["code"]) for answer in (wrong, unfit)] == [(422, "NX-R442")] * 2
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "NX-R441")
