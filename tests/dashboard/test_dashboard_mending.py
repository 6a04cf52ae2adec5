"""What is done about a group of dead letters from its page and over REST: tried again at a rate, chosen, previewed, skipped."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from nexum.client.deadletters import A_MINUTE, starts_of
from nexum.errors import InputError
from nexum.store.doubts import effects_at
from nexum.testing.samples import CLAIM, REFUND, fails, refund_graph
from troubled import park, parking


def parked(shop: Any, name: str, count: int = 3) -> tuple[list[str], dict[str, Any]]:
    """Runs whose only node waits for a person, and their group."""
    runs = [park(shop.stage, parking(name), f"{name}-{number}") for number in range(count)]
    with shop.with_token("runs:read") as script:
        (found,) = script.get("/dead-letters", params={"workflow": name}).json()["groups"]
        return runs, script.get(f"/dead-letters/{found['fingerprint']}").json()


def send(client: httpx.Client, group: dict[str, Any], act: str, **given: Any) -> httpx.Response:
    address = f"/dead-letters/{group['group']['fingerprint']}/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(address).text)
    return client.post(address, data={"csrfmiddlewaretoken": token[1] if token else "", "act": act, **given})


def ticked(group: dict[str, Any], run_id: str) -> str:
    (one,) = [member for member in group["members"] if member["run_id"] == run_id]
    return f"{one['run_id']} {one['visit']} {one['item']} {one['node']}"


def words_of(page: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2])).split())


def left(shop: Any, name: str) -> set[str]:
    """The runs that still wait."""
    with shop.with_token("runs:read") as script:
        groups = script.get("/dead-letters", params={"workflow": name}).json()["groups"]
        return {m["run_id"] for g in groups for m in script.get(f"/dead-letters/{g['fingerprint']}").json()["members"]}


def test_a_preview_names_the_keys_and_the_times_and_does_nothing(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Previewed")
    shown = send(operator, group, "preview", rate="2", reason="it is up")
    words = words_of(shown)

    assert shown.status_code == 200
    for run_id in runs:
        assert f"under {effects_at(shop.store, run_id, 'pay')[0].key} , the same key as before" in words
    assert words.count("the same key as before, at once") == 1
    assert words.count("the same key as before, at") == 3
    assert "3 nodes. Nothing has been done yet." in words
    assert left(shop, "Previewed") == set(runs)
    assert "it is up" in shown.text
    assert shown.text.count('form="chosen" checked') == 3


def test_only_those_that_are_ticked_are_tried_again(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Ticked")
    done = send(operator, group, "retry", reason="this one first", member=[ticked(group, runs[1])])

    assert (done.status_code, done.headers["Location"].count("/dead-letters/")) == (303, 1)
    assert left(shop, "Ticked") == {runs[0], runs[2]}


def test_nothing_is_tried_again_from_a_page_without_a_reason(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Silent", 1)
    answer = send(operator, group, "retry", reason=" ")

    assert (answer.status_code, "NX-R220" in answer.text) == (422, True)
    assert left(shop, "Silent") == set(runs)


def test_a_rate_spreads_what_is_tried_again(shop: Any) -> None:
    runs, group = parked(shop, "Spread", 3)
    with shop.with_token("operate") as script:
        address = f"/dead-letters/{group['group']['fingerprint']}/retry"
        planned = script.post(address, json={"reason": "it is up", "rate": 2, "preview": True}).json()
        waiting = left(shop, "Spread")
        done = script.post(address, json={"reason": "it is up", "rate": 2}).json()
    events = [row for run in runs for row in shop.store.events_after(run, 0) if row.type == "RetryScheduled"]

    assert (planned["preview"], done["preview"], waiting) == (True, False, set(runs))
    assert [node["start"] is None for node in done["nodes"]] == [True, False, False]
    assert {node["key"] for node in planned["nodes"]} == {effects_at(shop.store, run, "pay")[0].key for run in runs}
    assert [b"not_before" in row.body for row in events] == [True, True, True]
    assert left(shop, "Spread") == set()


def test_retries_begin_at_even_distances_and_the_first_at_once() -> None:
    assert starts_of(3, None, 5) == [0, 0, 0]
    assert starts_of(4, 2, 5) == [0, 5 + A_MINUTE // 2, 5 + A_MINUTE, 5 + 3 * A_MINUTE // 2]
    with pytest.raises(InputError, match="tries nothing") as error:
        starts_of(2, 0, 5)
    assert error.value.code == "NX-R444"


def test_a_rate_below_one_is_refused_at_every_door(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Rated", 1)
    with shop.with_token("operate") as script:
        address = f"/dead-letters/{group['group']['fingerprint']}/retry"
        rest = [script.post(address, json={"reason": "up", "rate": rate}) for rate in (0, -5)]
    pages = [send(operator, group, "retry", reason="up", rate=rate) for rate in ("0", "fast", "-1", "²", "9" * 5_000)]

    assert {(answer.status_code, answer.json()["code"]) for answer in rest} == {(422, "NX-R444")}
    assert {(answer.status_code, "NX-R444" in answer.text) for answer in pages} == {(422, True)}
    assert "&#x27;fast&#x27; is no rate" in pages[1].text
    assert left(shop, "Rated") == set(runs)


def test_a_value_is_checked_against_all_of_them_and_put_in_their_place(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Valued", 2)
    unfit = send(operator, group, "preview-skip", value='{"id": 7}', why="paid by hand")
    broken = send(operator, group, "skip", value="{", why="paid by hand")
    silent = send(operator, group, "skip", value='{"id": "by hand"}', why=" ")
    shown = send(operator, group, "preview-skip", value='{"id": "by hand"}', why="paid by hand")
    kept = left(shop, "Valued")
    done = send(operator, group, "skip", value='{"id": "by hand"}', why="paid by hand")

    assert (unfit.status_code, "NX-R221" in unfit.text) == (422, True)
    assert (broken.status_code, silent.status_code) == (422, 422)
    assert "2 nodes. Nothing has been done yet. Nobody reads it." in words_of(shown)
    assert kept == set(runs)
    assert done.status_code == 303
    assert {shop.store.head(run).status for run in runs} == {"COMPLETED"}


def test_a_script_skips_with_a_value(shop: Any) -> None:
    runs, group = parked(shop, "Scripted", 2)
    address = f"/dead-letters/{group['group']['fingerprint']}/skip"
    body = {"reason": "paid by hand", "value": {"id": "x"}, "runs": [runs[0]]}
    with shop.with_token("runs:read") as reader, shop.with_token("operate") as script:
        refused = reader.post(address, json=body)
        unfit = script.post(address, json={**body, "value": 7})
        preview = script.post(address, json={**body, "preview": True}).json()
        done = script.post(address, json=body).json()
        nowhere = script.post("/dead-letters/nothing/skip", json=body)

    assert refused.status_code == 403
    assert (unfit.status_code, unfit.json()["code"]) == (422, "NX-R221")
    assert (preview["preview"], [node["node_status"] for node in preview["nodes"]]) == (True, ["PARKED"])
    assert [(node["run_id"], node["node_status"]) for node in done["nodes"]] == [(runs[0], "COMPLETED")]
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "NX-R441")
    assert left(shop, "Scripted") == {runs[1]}


def ended_group(shop: Any, what: str) -> str:
    """The group of a run that has failed, in which nothing waits."""
    broken = fails("NX-R210", f"no {what} for it", kind="NonRetryable", retryable=False)
    shop.stage.begin("RefundAgent", CLAIM, name=f"ended-{what}")
    shop.stage.play(refund_graph().queue, {**REFUND, "refund": [broken]})
    with shop.with_token("runs:read") as script:
        groups = script.get("/dead-letters", params={"workflow": "RefundAgent"}).json()["groups"]
    (found,) = [each["fingerprint"] for each in groups if each["pattern"] == f"no {what} for it"]
    return str(found)


@pytest.mark.parametrize("act", ["retry", "skip"])
def test_a_script_learns_that_nothing_fits(shop: Any, act: str) -> None:
    runs, group = parked(shop, f"Fits{act.title()}", 2)
    address = f"/dead-letters/{group['group']['fingerprint']}/{act}"
    body = {"reason": "it is up", "value": {"id": "x"}} if act == "skip" else {"reason": "it is up"}
    with shop.with_token("operate") as script:
        unknown = script.post(address, json={**body, "runs": [runs[0], "nope"]})
        ended = script.post(f"/dead-letters/{ended_group(shop, act)}/{act}", json=body)

    assert (unknown.status_code, unknown.json()["code"]) == (404, "NX-R441")
    assert "no dead letter of 1 of the runs: 'nope'" in unknown.json()["detail"]
    assert left(shop, f"Fits{act.title()}") == set(runs)
    assert (ended.status_code, ended.json()["code"]) == (409, "NX-R443")


def test_a_request_about_a_run_that_has_gone_on_is_a_conflict(shop: Any) -> None:
    run_id = park(shop.stage, parking("GoneOn"), "gone-on")
    with shop.with_token("operate") as script:
        late = script.post(f"/runs/{run_id}/nodes/pay/retry", json={"reason": "up", "last_seq": 2})
        done = script.post(
            f"/runs/{run_id}/nodes/pay/retry", json={"reason": "up", "last_seq": shop.store.head(run_id).seq}
        )

    assert (late.status_code, late.json()["code"]) == (409, "NX-R409")
    assert "the run has gone on" in late.json()["detail"]
    assert (done.status_code, done.json()["node_status"]) == (200, "SCHEDULED")


def test_a_script_is_told_how_many_are_left(shop: Any) -> None:
    runs, group = parked(shop, "Limited", 3)
    address = f"/dead-letters/{group['group']['fingerprint']}"
    with shop.with_token("operate") as script:
        tried = script.post(f"{address}/retry", json={"reason": "it is up", "limit": 2}).json()
        named = script.post(f"{address}/skip", json={"reason": "by hand", "runs": [runs[0]]}).json()

    assert (len(tried["nodes"]), tried["waiting"], tried["left"]) == (2, 3, 1)
    assert [node["run_id"] for node in tried["nodes"]] == runs[:0:-1]
    assert (len(named["nodes"]), named["waiting"], named["left"]) == (1, 1, 0)


def test_the_page_tells_what_became_of_them(shop: Any, operator: httpx.Client) -> None:
    runs, group = parked(shop, "Told", 3)
    done = send(operator, group, "retry", reason="this one first", member=[ticked(group, runs[1])])
    after = operator.get(done.headers["Location"].removeprefix("/nexum"))
    invented = operator.get("/dead-letters/?what=retry&done=x&refused=0&waiting=1")

    assert "1 of 1 node tried again." in words_of(after)
    assert invented.status_code == 200
    assert "tried again" not in words_of(invented)


def test_the_same_failure_of_two_tenants_is_decided_one_by_one(shop: Any, operator: httpx.Client) -> None:
    runs = {tenant: park(shop.stage, parking("Shared"), f"shared-{tenant}", tenant) for tenant in ("acme", "default")}
    with shop.with_token("operate", "runs:read") as script:
        groups = script.get("/dead-letters", params={"workflow": "Shared"}).json()["groups"]
        (name,) = {group["fingerprint"] for group in groups}
        address = f"/dead-letters/{name}"
        unnamed = [script.get(address), script.post(f"{address}/retry", json={"reason": "it is up"})]
        done = script.post(f"{address}/retry", params={"tenant": "acme"}, json={"reason": "it is up"}).json()
        park(shop.stage, parking("Shared"), "shared-again", "acme")
        listed = script.get("/dead-letters", params={"workflow": "Shared", "tenant": "acme"}).json()["groups"]
    page, pages = (
        operator.get("/dead-letters/").text,
        [operator.get(f"{address}/{end}").status_code for end in ("", "?tenant=no")],
    )
    decided = send(operator, {"group": {"fingerprint": f"{name}/?tenant=default#"}}, "acknowledge", reason="known")
    states = {t: operator.get(f"{address}.json", params={"tenant": t}).json()["group"]["state"] for t in runs}

    assert {(answer.status_code, answer.json()["code"]) for answer in unnamed} == {(409, "NX-F111")}
    assert "?tenant=" in unnamed[0].json()["fixes"][0]
    assert [node["run_id"] for node in done["nodes"]] == [runs["acme"]]
    assert [(group["tenant"], group["count"]) for group in listed] == [
        ("acme", 2)
    ]  # the one that was tried again has failed again
    assert {f"{name}/?tenant={tenant}" in page for tenant in runs} == {True}
    assert (pages, decided.status_code) == ([409, 404], 303)
    assert states == {"acme": "open", "default": "acknowledged"}
