"""Circuit breakers on their page, over REST, in the metrics, and in the sentence of a run that waits."""

from __future__ import annotations

import re
from html import escape
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from nexum.client.breakers import override
from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import BreakerPolicy, Dedupes, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.breaker import force
from nexum.errors import InputError
from nexum.readouts.breakers import read_breakers
from nexum.testing.samples import HOUR, fails, node

WHY = "the provider announced maintenance"
OPEN_FOR = 10 * HOUR


def graph(tool: str) -> Graph:
    retry = RetryPolicy(max_attempts=5, first_wait=HOUR, ceiling=HOUR)
    pay = node(
        Effect,
        "pay",
        "input",
        tool=tool,
        doubt=Dedupes(ttl=HOUR),
        retry=retry,
        breaker=BreakerPolicy(failures=1, open_for=OPEN_FOR),
    )
    return Graph(workflow=f"Pay{tool.title()}", input={}, nodes=(pay,), result=("pay",))


@pytest.fixture
def waiting(shop: Any) -> str:
    """A run that waits for a breaker which its own failure has opened."""
    pays = graph("acquirer")
    shop.stage.register(pays)
    shop.stage.open("worker-7-1", pays.queue, lease=10**15)
    run_id: str = shop.stage.begin(pays.workflow, {"order": "1"}, name="waiting")
    shop.stage.play(pays.queue, {"pay": [fails("NX-R200", "connection refused")]})
    return run_id


def line(shop: Any, name: str) -> dict[str, Any]:
    with shop.with_token("runs:read") as script:
        (found,) = [each for each in script.get("/breakers").json()["breakers"] if each["name"] == name]
    return dict(found)


def test_a_run_that_waits_for_a_breaker_says_so(shop: Any, operator: httpx.Client, waiting: str) -> None:
    standing = operator.get(f"/runs/{waiting}.json").json()["run"]["standing"]

    assert standing["code"] == "retrying"
    assert "breaker `acquirer` has been open for" in standing["sentence"]
    assert standing["sentence"].endswith("nothing is lost.")
    assert line(shop, "acquirer")["state"] == "open"
    assert 'breaker_open{breaker="acquirer",tenant="default"} 1' in operator.get("/metrics").text


def test_a_person_holds_a_breaker_and_lets_it_go(shop: Any, operator: httpx.Client, waiting: str) -> None:
    page = operator.get("/breakers/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    given = {"csrfmiddlewaretoken": token[1], "name": "acquirer", "tenant": "default", "act": "close"}
    empty = operator.post("/breakers/", data={**given, "reason": " "})
    done = operator.post("/breakers/", data={**given, "reason": WHY, "seconds": "3600"})
    held = line(shop, "acquirer")
    operator.post("/breakers/", data={**given, "act": "auto", "reason": "it is up"})

    assert (empty.status_code, "Nothing was recorded." in empty.text) == (422, True)
    assert (done.status_code, done.headers["Location"]) == (303, "/nexum/breakers/")
    assert (held["state"], held["forced"], held["by"], held["reason"]) == ("closed", "closed", "operator", WHY)
    assert held["forced_until"] is not None
    assert (line(shop, "acquirer")["forced"], line(shop, "acquirer")["failures"]) == ("", 0)


@pytest.mark.parametrize("tenant", ["nobody", "x" * 5_000])
def test_a_form_makes_up_no_tenant(shop: Any, operator: httpx.Client, waiting: str, tenant: str) -> None:
    page = operator.get("/breakers/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    given = {"csrfmiddlewaretoken": token[1], "name": "acquirer", "act": "open", "reason": WHY}
    refused = operator.post("/breakers/", data={**given, "tenant": tenant})
    with pytest.raises(InputError) as longest:
        override(shop.store, "acquirer", "open", actor="mika", reason=WHY, tenant="x" * 201)

    assert (refused.status_code, "Nothing was recorded." in refused.text) == (422, True)
    assert longest.value.code == "NX-E441"
    assert {breaker.tenant for breaker in read_breakers(shop.store).breakers} == {"default"}


def test_holding_needs_the_permission_and_the_pages_own_form(shop: Any, operator: httpx.Client, waiting: str) -> None:
    body = {"name": "acquirer", "act": "open", "reason": WHY}
    with shop.as_user("viewer") as viewer:
        page = viewer.get("/breakers/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        refused = viewer.post("/breakers/", data={**body, "csrfmiddlewaretoken": token[1]})

    assert "nexum.control_run" in page.text
    assert (refused.status_code, operator.post("/breakers/", data=body).status_code) == (403, 403)


@pytest.mark.parametrize("name", ["models/gpt", "a/b/c", "a%2Fb", "pay?x=1#y"])
def test_a_breaker_is_held_over_rest_whatever_its_name(shop: Any, operator: httpx.Client, name: str) -> None:
    with shop.with_token("operate") as script:
        done = script.post(f"/breakers/{quote(name, safe='')}", json={"act": "open", "reason": WHY})

    assert (done.status_code, done.json().get("breaker", {}).get("name")) == (200, name)
    assert line(shop, name)["state"] == "open"
    assert escape(name) in operator.get("/breakers/").text


def test_a_script_holds_a_breaker_before_anybody_has_failed(shop: Any) -> None:
    body = {"act": "open", "reason": WHY, "seconds": 600}
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post("/breakers/never.seen", json=body)
        done = script.post("/breakers/never.seen", json=body)
        blank = script.post("/breakers/never.seen", json={**body, "reason": " "})
        unfit = script.post("/breakers/never.seen", json={**body, "act": "explode"})
        untrue = script.post("/breakers/never.seen", json={**body, "seconds": False})

    assert (refused.status_code, unfit.status_code, untrue.status_code) == (403, 422, 422)
    assert (blank.status_code, blank.json()["code"]) == (422, "NX-E441")
    assert (done.json()["breaker"]["state"], done.json()["breaker"]["by"]) == ("open", "token:script")
    assert done.json()["breaker"]["next_probe"] is not None


def test_a_breaker_that_is_held_beyond_the_calendar_breaks_no_page(shop: Any, operator: httpx.Client) -> None:
    """As it was stored before there was a bound."""
    kept, now = shop.store.breaker("default", "of.old")
    assert shop.store.keep_breaker(force(kept, "open", until=now + 10**18, actor="mika", reason=WHY))
    page, document = operator.get("/breakers/"), line(shop, "of.old")
    override(shop.store, "of.old", "auto", actor="mika", reason=WHY)

    assert (page.status_code, "of.old" in page.text, "9999-12-" in page.text) == (200, True, True)
    assert document["forced_until"].startswith("9999-12-")
