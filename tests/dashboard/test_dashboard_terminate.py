"""Terminating a run from its page: what it leaves behind is said first, and its short id is to be typed."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from nexum.client.interventions import check_typed
from nexum.errors import InputError
from troubled import doubt, park, parking, paying


def send(client: httpx.Client, run_id: str, **given: str) -> httpx.Response:
    page = client.get(f"/runs/{run_id}/do/terminate/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    seq = re.search(r'name="last_seq" value="(\d+)"', page)
    body = {
        "csrfmiddlewaretoken": token[1] if token else "",
        "last_seq": seq[1] if seq else "",
        "reason": "it does harm",
    }
    return client.post(f"/runs/{run_id}/do/terminate/", data={**body, **given})


def test_a_run_is_terminated_by_whoever_types_its_short_id(shop: Any, operator: httpx.Client) -> None:
    run_id = doubt(shop.stage, paying("Harmful"), "harmful")
    page = operator.get(f"/runs/{run_id}/do/terminate/").text
    wrong = send(operator, run_id, typed="yes")
    silent = send(operator, run_id, typed=run_id[-8:], reason=" ")
    running = shop.store.head(run_id).status
    done = send(operator, run_id, typed=run_id[-8:])

    assert "<b>In doubt</b>" in page
    assert f"Type the run's short id, {run_id[-8:]}" in page.replace("&#x27;", "'")
    assert (wrong.status_code, "NX-R223" in wrong.text, "it does harm" in wrong.text) == (422, True, True)
    assert (silent.status_code, "NX-R220" in silent.text) == (422, True)
    assert running == "RUNNING"
    assert (done.status_code, done.headers["Location"]) == (303, f"/nexum/runs/{run_id}/")
    assert shop.store.head(run_id).status == "TERMINATED"
    assert "Terminate this run" not in operator.get(f"/runs/{run_id}/").text


def test_a_run_that_has_gone_on_is_looked_at_again_first(shop: Any, operator: httpx.Client) -> None:
    run_id = park(shop.stage, parking("HarmfulToo"), "harmful-too")
    late = send(operator, run_id, typed=run_id, last_seq="1")

    assert (late.status_code, "NX-R409" in late.text) == (409, True)
    assert shop.store.head(run_id).status == "RUNNING"


def test_an_event_of_any_number_of_digits_is_one_that_the_run_is_not_at(shop: Any, operator: httpx.Client) -> None:
    run_id = park(shop.stage, parking("HarmfulToo"), "harmful-digits")
    late = send(operator, run_id, typed=run_id, last_seq="9" * 5_000)

    assert (late.status_code, "NX-R409" in late.text) == (409, True)
    assert shop.store.head(run_id).status == "RUNNING"


def test_looking_is_for_viewers_and_terminating_for_those_who_may(shop: Any) -> None:
    run_id = park(shop.stage, parking("HarmfulToo"), "harmful-again")
    with shop.as_user("support") as viewer:
        page = viewer.get(f"/runs/{run_id}/do/terminate/")
        refused = send(viewer, run_id, typed=run_id)
        nowhere = viewer.get("/runs/nothing/do/terminate/")

    assert "nexum.terminate_run" in page.text
    assert (page.status_code, "Terminating needs" in page.text, refused.status_code) == (200, True, 403)
    assert (nowhere.status_code, shop.store.head(run_id).status) == (404, "RUNNING")


@pytest.mark.parametrize("typed", ["", "y", "YES", "0198"])
def test_nothing_but_the_runs_id_confirms(typed: str) -> None:
    run_id = "01a1ffd8-f181-71cc-b260-69fad0290cef"
    with pytest.raises(InputError) as error:
        check_typed(run_id, typed)

    assert error.value.code == "NX-R223"
    check_typed(run_id, f" {run_id[-8:].upper()} ")
    check_typed(run_id, run_id)
