"""Effects in doubt on pages and over REST: seen by those who look, decided by those who may, once."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from nexum.core.graph.nodes import Effect, Handler, Param, Reconciliation
from nexum.core.graph.policies import Hold
from nexum.core.graph.workflow import Graph
from nexum.readouts.doubt import UNKNOWN
from nexum.store.doubts import effects_at
from nexum.store.statement import Insert
from nexum.store.tables import effect_evidence
from nexum.testing.samples import CLAIM, REFUND, fails, node, refund_graph

RESPONSE = {"id": "re_9", "amount": 4_200}
WHY = "seen in the provider's console"
LOST = fails("NX-E201", "connection reset while the answer was awaited", kind="ReadTimeout", sent="unknown")


@pytest.fixture
def key(shop: Any) -> str:
    """The key of an effect that is in doubt, for this test alone."""
    run_id = shop.stage.begin("RefundAgent", CLAIM, name="doubted", key="")
    shop.stage.play(refund_graph().queue, {**REFUND, "refund": [LOST]})
    (effect,) = [line for line in listed(shop) if line["run_id"] == run_id]
    return str(effect["key"])


def listed(shop: Any) -> list[dict[str, Any]]:
    with shop.with_token("runs:read") as script:
        found: list[dict[str, Any]] = script.get("/effects/in-doubt").json()["effects"]
    return found


def words_of(page: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"<main{main_of(page)}")).split())


def main_of(page: httpx.Response) -> str:
    return page.text.partition("<main")[2].partition("</main>")[0]


def send(client: httpx.Client, key: str, outcome: str, **more: str) -> httpx.Response:
    """Fill in one of the page's forms as a browser would."""
    page = client.get(f"/in-doubt/{key}/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    attempt = re.search(r'name="attempt" value="(\d+)"', page.text)
    given = {"outcome": outcome, "attempt": attempt[1] if attempt else "", "reason": WHY}
    body = {"csrfmiddlewaretoken": token[1] if token else "", **given, **more}
    return client.post(f"/in-doubt/{key}/", data=body)


def test_the_address_of_what_was_seen_is_offered_on_the_page(shop: Any, operator: httpx.Client, key: str) -> None:
    seen = "https://bank.example/refunds/re_9?a=1&b=2"
    given = {"response": json.dumps(RESPONSE), "reference": "re_9"}
    refused = send(operator, key, "happened", **given, link="javascript:alert(1)")
    done = send(operator, key, "happened", **given, link=seen)
    page = operator.get(f"/in-doubt/{key}/")

    assert (refused.status_code, "Nothing was recorded." in refused.text, done.status_code) == (422, True, 303)
    assert 'href="https://bank.example/refunds/re_9?a=1&amp;b=2" rel="noopener noreferrer nofollow"' in page.text
    assert "javascript:" not in main_of(page)


def test_the_page_of_an_effect_that_a_terminated_run_has_left_asks_for_nothing(
    shop: Any, operator: httpx.Client, key: str
) -> None:
    (effect,) = [line for line in listed(shop) if line["key"] == key]
    with shop.with_token("operate", "runs:read") as script:
        script.post(f"/runs/{effect['run_id']}/terminate", json={"reason": WHY})
        decided = script.post(f"/effects/in-doubt/{key}/resolve", json={"outcome": "abandon", "reason": WHY})
    page = operator.get(f"/in-doubt/{key}/")

    assert (decided.status_code, decided.json()["code"]) == (409, "NX-E409")
    assert "Nothing waits for a decision about this effect. Terminated after" in words_of(page)
    assert "Nobody knows whether refund was done." in words_of(page)
    assert "What did you find out?" not in page.text
    assert key not in {line["key"] for line in listed(shop)}


def test_the_page_says_what_is_not_known_and_offers_no_new_key(shop: Any, operator: httpx.Client, key: str) -> None:
    page = operator.get(f"/in-doubt/{key}/")
    words = words_of(page)

    assert UNKNOWN in words
    assert "Sending again with a new key could do it twice." in words
    assert re.findall(r"<button[^>]*>([^<]+)</button>", main_of(page)) == [
        "Ask the provider",
        "Record that it happened",
        "Allow a retry with the same key",
        "Give up",
    ]
    assert "probably" not in words
    assert words.count(key) >= 2


def test_the_evidence_is_told_in_the_order_of_time(shop: Any, operator: httpx.Client, key: str) -> None:
    told = operator.get(f"/in-doubt/{key}.json").json()["evidence"]

    assert [moment["what"] for moment in told] == ["given to the handler", "in doubt"]
    assert told == sorted(told, key=lambda moment: str(moment["at"]))
    assert "NX-E201" in told[-1]["detail"] or "connection reset" in told[-1]["detail"]


def test_what_happened_is_recorded_with_the_name_of_the_user(shop: Any, operator: httpx.Client, key: str) -> None:
    answer = send(operator, key, "happened", response=json.dumps(RESPONSE), reference="re_9")
    after = operator.get(f"/in-doubt/{key}.json").json()

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/nexum/in-doubt/{key}/")
    assert (after["held"], after["state"]) == (False, "completed")
    decided = after["evidence"][-1]
    assert (decided["what"], decided["who"]) == ("decided: it happened", "operator")
    assert WHY in decided["detail"]
    assert "decided: it happened" in words_of(operator.get(f"/in-doubt/{key}/"))


def test_what_did_not_happen_is_sent_again_under_the_same_key(shop: Any, operator: httpx.Client, key: str) -> None:
    answer = send(operator, key, "did_not_happen")
    keys: list[str] = []
    work = shop.stage.play(refund_graph().queue, REFUND, until="refund")
    while work is not None and work.node.id == "refund":
        keys.append(work.key)
        work = shop.stage.step(work, REFUND, {})
        if work is not None:
            shop.stage.step(work, REFUND, {})
            break

    assert answer.status_code == 303
    assert keys == [key]


def test_a_second_decision_is_shown_what_happened_instead(shop: Any, operator: httpx.Client, key: str) -> None:
    page = operator.get(f"/in-doubt/{key}/")
    with shop.with_token("operate") as script:
        script.post(f"/effects/in-doubt/{key}/resolve", json={"outcome": "abandon", "reason": "asked by phone"})
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    body = {"csrfmiddlewaretoken": token[1], "outcome": "did_not_happen", "attempt": "1", "reason": WHY}
    late = operator.post(f"/in-doubt/{key}/", data=body)

    assert late.status_code == 409
    assert "Nothing was recorded." in words_of(late)
    assert "token:script resolved it as abandon" in words_of(late)
    assert "asked by phone" in words_of(late)


def test_a_decision_about_an_attempt_that_was_not_shown_is_refused(shop: Any, operator: httpx.Client, key: str) -> None:
    answer = send(operator, key, "abandon", attempt="7")

    assert answer.status_code == 409
    assert "Attempt 1 is in doubt now" in words_of(answer)
    assert operator.get(f"/in-doubt/{key}.json").json()["held"] is True


@pytest.mark.parametrize(
    ("outcome", "given", "told"),
    [
        ("happened", {"response": "{"}, "is not JSON"),
        ("happened", {"response": ""}, "response"),
        ("abandon", {"reason": "  "}, "reason"),
        ("perhaps", {}, "outcome"),
        ("happened", {"response": "[" * 100_000}, "nested too deeply"),
        ("happened", {"response": '{"amount": NaN}'}, "NaN is no number"),
    ],
)
def test_a_decision_that_is_not_complete_keeps_what_was_typed(
    shop: Any, operator: httpx.Client, key: str, outcome: str, given: dict[str, str], told: str
) -> None:
    answer = send(operator, key, outcome, **{"reason": "typed with care", **given})

    assert answer.status_code == 422
    assert told in words_of(answer)
    assert operator.get(f"/in-doubt/{key}.json").json()["held"] is True
    if "response" in given:
        assert "typed with care" in answer.text


def test_looking_is_for_viewers_and_deciding_for_those_who_may(shop: Any, key: str) -> None:
    with shop.as_user("viewer") as viewer:
        page = viewer.get(f"/in-doubt/{key}/")
        refused = send(viewer, key, "abandon")

    assert page.status_code == 200
    assert "nexum.resolve_effect" in page.text
    assert page.text.count("<fieldset disabled>") == 3
    assert "nexum.view_payload" in page.text
    assert (refused.status_code, "NX-P403" in refused.text) == (403, True)
    assert [line["key"] for line in listed(shop)].count(key) == 1


def test_a_form_that_is_not_the_pages_own_is_refused(shop: Any, operator: httpx.Client, key: str) -> None:
    body = {"outcome": "abandon", "attempt": "1", "reason": WHY}
    bare = operator.post(f"/in-doubt/{key}/", data=body)
    forged = operator.post(f"/in-doubt/{key}/", data={**body, "csrfmiddlewaretoken": "x" * 64})

    assert (bare.status_code, forged.status_code) == (403, 403)
    assert "nothing was recorded" in bare.text
    assert "default-src 'self'" in bare.headers["Content-Security-Policy"]
    assert operator.get(f"/in-doubt/{key}.json").json()["held"] is True


def test_the_list_and_the_navigation_count_what_is_held(shop: Any, operator: httpx.Client, key: str) -> None:
    page = operator.get("/in-doubt/")

    held = len(listed(shop))
    assert held >= 2
    assert f'aria-label="{held} effects in doubt"' in page.text
    assert f'aria-label="{held} effects in doubt"' in operator.get("/versions/").text
    assert page.text.count('<tr id="effect-') == held


def test_a_list_that_did_not_change_is_not_sent_again(shop: Any, operator: httpx.Client, key: str) -> None:
    pulse = re.search(r'data-pulse="([^"]+)"', operator.get("/in-doubt/").text)
    assert pulse is not None
    before = operator.get("/in-doubt/live", params={"after": pulse[1]}).status_code
    send(operator, key, "abandon")

    assert (before, operator.get("/in-doubt/live", params={"after": pulse[1]}).status_code) == (204, 200)


def test_what_may_have_been_done_twice_is_shown_beside_the_doubts(shop: Any, operator: httpx.Client) -> None:
    (effect,) = effects_at(shop.store, shop.ids["completed"], "refund")
    late = (effect.tenant, effect.key, 1, effect.run_id, "worker-0-1", "APPLIED", b"{}", "0" * 64, "re_second", b"", 5)
    with shop.store.database.once() as tx:
        tx.insert(Insert(effect_evidence, keep=True, without=("id",)), [late])
    with shop.with_token("runs:read") as script:
        told = script.get("/effects/in-doubt").json()["suspected"]
    (found,) = [line for line in told if line["key"] == effect.key]
    words = words_of(operator.get("/in-doubt/"))

    assert (found["key"], found["reference"], found["recorded"]) == (effect.key, "re_second", "re_3Q9fA7")
    assert "May have been done twice" in words
    assert "re_3Q9fA7 , re_second" in words
    assert "late report" in words_of(operator.get(f"/in-doubt/{effect.key}/"))


def test_an_effect_that_does_not_exist_is_a_page_and_a_problem_with_404(shop: Any, operator: httpx.Client) -> None:
    page = operator.get("/in-doubt/nx1-nothing/")
    with shop.with_token("runs:read", "operate") as script:
        one = script.get("/effects/in-doubt/nx1-nothing")
        decided = script.post(
            "/effects/in-doubt/nx1-nothing/resolve", json={"outcome": "abandon", "reason": "looked it up"}
        )

    assert (page.status_code, "NX-E404" in page.text) == (404, True)
    assert [(answer.status_code, answer.json()["code"]) for answer in (one, decided)] == [(404, "NX-E404")] * 2


def asking_graph() -> Graph:
    """One effect whose provider can be asked."""
    asks = Reconciliation(handler=Handler(ref="shop.agents:find_refund"), params=(Param(name="input", source="input"),))
    pay = node(Effect, "pay", "input", tool="pay.refund", doubt=Hold(), reconcile=asks)
    return Graph(workflow="AskedRefund", input={}, nodes=(pay,), result=("pay",))


def test_the_provider_is_asked_where_the_author_said_how(shop: Any, operator: httpx.Client) -> None:
    graph = asking_graph()
    shop.stage.register(graph)
    run_id = shop.stage.begin("AskedRefund", {"order": "1"}, name="asked")
    shop.stage.play(graph.queue, {"pay": [LOST]})
    (key,) = [str(line["key"]) for line in listed(shop) if line["run_id"] == run_id]
    alone = send(operator, key, "ask")
    shop.stage.open("worker-8-1", graph.queue, lease=10**15)
    asked = send(operator, key, "ask")
    told = operator.get(f"/in-doubt/{key}.json").json()
    with shop.with_token("operate") as script:
        again = script.post(f"/effects/in-doubt/{key}/ask")

    assert alone.status_code == 409
    assert "No live worker" in words_of(alone)
    assert asked.status_code == 303
    number = told["asking"]["number"]
    assert number >= 1
    assert told["asking"]["handler"] == "shop.agents:find_refund"
    assert [m["who"] for m in told["evidence"] if m["what"] == "somebody had the provider asked"] == ["operator"]
    assert f"Asking {number} is under way" in words_of(operator.get(f"/in-doubt/{key}/"))
    assert (again.status_code, again.json()["asking"]) == (202, number)


def test_an_effect_that_names_nobody_to_ask_says_so(shop: Any, operator: httpx.Client, key: str) -> None:
    with shop.with_token("operate") as script:
        answer = script.post(f"/effects/in-doubt/{key}/ask")

    assert (answer.status_code, answer.json()["code"]) == (409, "NX-E211")
    assert "declares no reconcile handler" in words_of(operator.get(f"/in-doubt/{key}/"))


def test_a_script_decides_with_a_token_that_may(shop: Any, key: str) -> None:
    body = {"outcome": "happened", "reason": WHY, "reference": "re_9", "response": RESPONSE}
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post(f"/effects/in-doubt/{key}/resolve", json=body)
        done = script.post(f"/effects/in-doubt/{key}/resolve", json=body)
        late = script.post(f"/effects/in-doubt/{key}/resolve", json=body)
        hidden = reader.get(f"/effects/in-doubt/{key}").json()

    assert (refused.status_code, "operate" in refused.json()["detail"]) == (403, True)
    assert (done.status_code, done.json()["node_status"]) == (200, "COMPLETED")
    assert (late.status_code, late.json()["code"]) == (409, "NX-E409")
    assert late.headers["Content-Type"] == "application/problem+json"
    assert hidden["evidence"][-1]["who"] == "token:script"
    assert [given["payload"]["value"] for given in hidden["inputs"]] == [None]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"outcome": "happened", "reason": WHY}, 422, "NX-E401"),
        ({"outcome": "abandon", "reason": WHY, "response": 1}, 422, "NX-E401"),
        ({"outcome": "perhaps", "reason": WHY}, 422, "NX-P400"),
        ({"outcome": "abandon", "reason": ""}, 422, "NX-P400"),
    ],
)
def test_a_decision_that_does_not_fit_is_a_problem(shop: Any, key: str, body: Any, status: int, code: str) -> None:
    with shop.with_token("operate") as script:
        answer = script.post(f"/effects/in-doubt/{key}/resolve", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
