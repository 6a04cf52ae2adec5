"""What is larger than any column or form: answered with a page that says so, never with a failure."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

LARGE = str(30_000_000)
SIGNED = "s" * 32  # in the cookie that the check of forms wants before it reads any


@pytest.mark.parametrize("seq", ["9" * 23, str(2**63), str(2**63 - 1), "9" * 4_000])
@pytest.mark.parametrize("rest", ["/", ".json", "/p/abc/"])
def test_an_event_that_no_column_can_hold_is_not_there(shop: Any, operator: httpx.Client, seq: str, rest: str) -> None:
    answer = operator.get(f"/runs/{shop.ids['completed']}/events/{seq}{rest}")

    assert (answer.status_code, "NX-R404" in answer.text) == (404, True)


@pytest.mark.parametrize("page", ["breakers/", "runs/{run}/do/terminate/", "dead-letters/{group}/", "in-doubt/{key}/"])
def test_a_form_above_the_limit_of_django_is_a_page_with_a_code(shop: Any, page: str) -> None:
    where = page.format(run=shop.ids["completed"], group=shop.ids["dead_group"], key=shop.ids["doubt_key"])
    place = urlsplit(shop.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    connection.putrequest("POST", f"{place.path}/{where}")
    for name, value in {
        "Cookie": f"sessionid={shop.sessions['operator']}; csrftoken={SIGNED}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": LARGE,
    }.items():
        connection.putheader(name, value)
    connection.endheaders(b"reason=x")
    answer = connection.getresponse()
    text = answer.read1().decode()  # the server would now wait for the body
    connection.close()

    assert (answer.status, "NX-R103" in text) == (413, True)
    assert f"{LARGE} bytes" in text
    assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in text
    assert "default-src" in str(answer.headers["Content-Security-Policy"])


def test_a_form_of_too_many_fields_is_a_page_with_a_code(operator: httpx.Client) -> None:
    operator.cookies["csrftoken"] = SIGNED
    answer = operator.post("/breakers/", data={f"f{number}": "x" for number in range(1_100)})

    assert (answer.status_code, "NX-R103" in answer.text) == (413, True)
    assert "DATA_UPLOAD_MAX_NUMBER_FIELDS allows 1000" in answer.text
