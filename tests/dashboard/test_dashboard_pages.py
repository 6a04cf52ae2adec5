"""The pages as a browser without scripts gets them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from nexum.readouts.run import read_run

PAGES = {
    "runs": "/runs/",
    "runs filtered": "/runs/?q=standing:in_doubt -workflow:OrderIntake",
    "run": "/runs/{wide_running}/",
    "run events": "/runs/{repaired}/?tab=events",
    "run input": "/runs/{completed}/?tab=io",
    "node": "/runs/{repaired}/nodes/verdict/",
    "node in doubt": "/runs/{in_doubt}/nodes/refund/",
    "event": "/runs/{completed}/events/4/",
    "doubts": "/in-doubt/",
    "doubt": "/in-doubt/{doubt_key}/",
    "dead letters": "/dead-letters/",
    "breakers": "/breakers/",
    "group of dead letters": "/dead-letters/{dead_group}/",
    "versions": "/versions/",
    "codes": "/e/",
    "code": "/e/NX-E201/",
}
STUCK = ("in_doubt", "needs_attention", "no_worker", "failed")


def text_of(page: httpx.Response) -> str:
    """The words of the page's main part."""
    main = page.text.partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"<main{main}")).split())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_the_database_at_most_twelve_times(shop: Any, operator: httpx.Client, name: str) -> None:
    page = operator.get(PAGES[name].format(**shop.ids))

    assert page.status_code == 200
    assert int(page.headers["X-Queries"]) <= 12


@pytest.mark.parametrize("name", PAGES)
def test_a_page_holds_to_the_strict_policy(shop: Any, operator: httpx.Client, name: str) -> None:
    page = operator.get(PAGES[name].format(**shop.ids))

    assert "default-src 'self'; script-src 'self'; style-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert re.findall(r'\sstyle="|<style|\son\w+="|<script(?![^>]*\ssrc=)|javascript:', page.text) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.text) == []
    assert len(page.content) < 120_000


@pytest.mark.parametrize("standing", STUCK)
def test_the_first_words_of_a_stuck_run_say_why_and_what_helps(
    shop: Any, operator: httpx.Client, standing: str
) -> None:
    run_id = shop.ids[standing]
    found = read_run(shop.store, run_id, may_read=True)
    assert found is not None
    beginning = text_of(operator.get(f"/runs/{run_id}/"))[:700]

    assert found.run.standing.code == standing
    assert found.run.standing.sentence[:60].replace("`", "")[:30] in beginning.replace(" ,", ",")
    assert found.run.standing.commands[0] in beginning


def test_the_page_and_its_json_are_one_view_model(shop: Any, operator: httpx.Client) -> None:
    for path in (
        "/runs/{completed}",
        "/runs/{repaired}/nodes/verdict",
        "/runs/{completed}/events/3",
        "/runs",
        "/versions",
    ):
        address = path.format(**shop.ids)
        spelled = operator.get(f"{address}.json").json()
        page = operator.get(f"{address}/").text

        assert spelled["schema"].startswith("nexum.")
        run = spelled.get("run", {})
        for fact in (run.get("run_key"), run.get("standing", {}).get("label"), spelled.get("hash", "")[:12]):
            assert (fact or "") in unescape(page)
    accepted = operator.get(f"/runs/{shop.ids['completed']}/", headers={"Accept": "application/json"}).json()
    assert accepted["schema"] == "nexum.run/1"


def test_an_unknown_qualifier_is_said_with_the_nearest_valid_one(operator: httpx.Client) -> None:
    page = operator.get("/runs/?q=sttaus:failed")

    assert page.status_code == 200
    assert "sttaus: is not a filter; did you mean status: ?" in text_of(page).replace("`", "")
    assert 'href="?q=status%3Afailed"' in page.text


def test_a_page_of_the_list_continues_after_the_last_run_of_the_one_before(operator: httpx.Client) -> None:
    seen: list[str] = []
    after = ""
    while True:
        listed = operator.get("/runs.json", params={"after": after} if after else {}).json()
        seen += [run["run_id"] for run in listed["runs"]]
        after = listed["next"]
        if not after:
            break

    assert len(seen) == len(set(seen)) == listed["total"]


def test_an_unknown_run_is_missing_and_the_nearest_are_named(shop: Any, operator: httpx.Client) -> None:
    wrong = shop.ids["completed"][:-4] + "0000"
    page = operator.get(f"/runs/{wrong}/")

    assert page.status_code == 404
    assert "NX-R404" in page.text
    assert shop.ids["completed"] in page.text
    assert operator.get(f"/r/{shop.ids['completed']}/").headers["Location"].endswith(f"/runs/{shop.ids['completed']}/")


def test_a_cursor_that_is_none_is_refused(operator: httpx.Client) -> None:
    page = operator.get("/runs/?after=nothing")

    assert page.status_code == 400
    assert "NX-P400" in page.text


def test_nothing_is_sent_while_nothing_has_happened(shop: Any, operator: httpx.Client) -> None:
    page = operator.get(f"/runs/{shop.ids['in_doubt']}/").text
    live = f"/runs/{shop.ids['in_doubt']}/live"
    pulse = re.search(r'data-pulse="([^"]+)"', page)
    assert pulse is not None
    numbers = pulse[1].rpartition("~")[0]
    answers = [operator.get(live, params={"after": f"{numbers}~{bucket}"}) for bucket in _buckets(shop)]

    assert 204 in [answer.status_code for answer in answers]
    still = next(answer for answer in answers if answer.status_code == 204)
    assert still.content == b""
    assert int(still.headers["X-Queries"]) <= 2


def _buckets(shop: Any) -> list[int]:
    """The present half minute, and the next in case it begins while we ask."""
    now = shop.store.now() // 30_000_000
    return [now, now + 1]


def test_the_last_fragment_of_an_ended_run_says_that_it_is_the_last(shop: Any, operator: httpx.Client) -> None:
    answer = operator.get(f"/runs/{shop.ids['completed']}/live?after=stale")

    assert answer.status_code == 286
    assert 'id="nx-fresh"' in answer.text


def test_newer_runs_are_announced_and_not_inserted(shop: Any, operator: httpx.Client) -> None:
    page = operator.get("/runs/?q=workflow:OrderIntake").text
    live = re.search(r'hx-get="([^"]+)"', page)
    assert live is not None
    shop.stage.begin("OrderIntake", {"order": "B-1"}, name="newer")
    answer = operator.get(unescape(live[1]).removeprefix("/nexum"))

    assert answer.status_code == 200
    assert "1 new run. Show" in answer.text
    assert shop.ids.get("newer", shop.stage.ids["newer"]) not in answer.text


def test_a_payload_is_a_download_and_only_through_an_event_that_names_it(shop: Any, operator: httpx.Client) -> None:
    event = operator.get(f"/runs/{shop.ids['completed']}/events/1.json").json()["event"]
    named = event["payloads"][0]
    address = f"/runs/{shop.ids['completed']}/events/{{}}/p/{named['hash']}/"

    found = operator.get(address.format(1))
    assert found.json() == named["value"]
    assert found.headers["Content-Disposition"].startswith("attachment")
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert operator.get(address.format(3)).status_code == 404


def test_a_page_that_is_asked_to_change_something_refuses(shop: Any, operator: httpx.Client) -> None:
    answer = operator.post(f"/runs/{shop.ids['completed']}/", headers={"X-CSRFToken": "none"})

    assert answer.status_code in (403, 405)
