"""Every answer of the REST interface that is no document is a problem document, whatever went wrong."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from databases import fresh_sqlite
from nexum.testing.samples import CLAIM
from nexum.testing.site import serving

START = {"workflow": "RefundAgent", "input": CLAIM}
BROKEN = """
from nexum_dashboard.api import rest


def bug(*_):
    raise ZeroDivisionError("half a bug")


rest.read_versions = bug


def installed(get_response):
    return get_response
"""


def problem_of(answer: httpx.Response, status: int, code: str) -> Any:
    """The problem document, which must be one."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/nexum/e/{code}/")
    return problem


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A site with a bug, and its log."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken_site.py").write_text(BROKEN, "utf-8")
    more = 'MIDDLEWARE = [*MIDDLEWARE, "broken_site.installed"]'
    with serving(fresh_sqlite(folder), folder, more=more) as url:
        yield url, folder / "site.log"


def test_a_bug_is_a_problem_and_its_traceback_is_in_the_log(broken: tuple[str, Path]) -> None:
    url, log = broken
    problem = problem_of(httpx.get(f"{url}/api/v1/versions"), 500, "NX-X100")

    number = problem["detail"].rpartition(" ")[2]
    said = log.read_text()
    assert "half a bug" not in problem["detail"], "what a bug says may be personal data"
    assert number in said
    assert 'raise ZeroDivisionError("half a bug")' in said


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/", "", "/runs/a/b/c/d"])
def test_an_address_of_nothing_is_a_problem(shop: Any, path: str) -> None:
    problem = problem_of(httpx.get(f"{shop.url}/api/v1{path}", follow_redirects=True), 404, "NX-P400")

    assert f"/api/v1{path}" in problem["detail"]


def test_an_address_of_nothing_takes_no_cookie_of_anybody(shop: Any) -> None:
    with shop.as_user() as browser:
        problem_of(browser.post("/api/v1/nothing", content=b"{}"), 404, "NX-P400")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/runs", "GET, POST"), ("POST", "/versions", "GET"), ("PUT", "/runs/x/events", "GET")],
)
def test_a_method_that_an_address_does_not_take_is_a_problem(shop: Any, method: str, path: str, allowed: str) -> None:
    with shop.with_token("runs:read") as script:
        answer = script.request(method, path)

    assert f"takes {allowed}, not {method}" in problem_of(answer, 405, "NX-P400")["detail"]
    assert answer.headers["Allow"] == allowed


def test_a_body_above_the_limit_of_django_is_refused_before_it_is_read(shop: Any) -> None:
    with shop.with_token("runs:start") as script:
        token = script.headers["Authorization"]
    place = urlsplit(shop.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    connection.putrequest("POST", f"{place.path}/api/v1/runs")
    for name, value in {
        "Authorization": token,
        "Content-Type": "application/json",
        "Content-Length": "30000000",
    }.items():
        connection.putheader(name, value)
    connection.endheaders(b"{")
    answer = connection.getresponse()
    problem = json.loads(answer.read1())  # the server would now wait for the body
    connection.close()

    assert (answer.status, problem["status"], problem["code"]) == (413, 413, "NX-R103")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "30000000 bytes; Django's DATA_UPLOAD_MAX_MEMORY_SIZE allows 2621440" in problem["detail"]
    assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in problem["fixes"][0]


@pytest.mark.parametrize(
    ("asked", "path", "got"),
    [
        ({"json": {**START, "priority": 99}}, "body.priority", "99"),
        ({"json": {**START, "run_key": ["a"]}}, "body.run_key", "['a']"),
        ({"json": {**START, "colour": "red"}}, "body.colour", "'red'"),
        ({"json": {"input": {}}}, "body.workflow", "nothing"),
        ({"json": START, "headers": {"Idempotency-Key": "k" * 201}}, "header.Idempotency-Key", f"'{'k' * 78}…"),
    ],
)
def test_a_field_that_does_not_fit_is_shown_with_the_value_received(
    shop: Any, asked: dict[str, Any], path: str, got: str
) -> None:
    with shop.with_token("runs:start") as script:
        problem = problem_of(script.post("/runs", **asked), 422, "NX-P400")

    assert [(found["path"], found["got"]) for found in problem["problems"]] == [(path, got)]


def test_a_parameter_that_does_not_fit_is_shown_with_the_value_received(shop: Any) -> None:
    with shop.with_token("runs:read") as script:
        many = problem_of(script.get("/runs", params={"limit": "many"}), 422, "NX-P400")["problems"]
        none = problem_of(script.get("/runs/x/events/0"), 422, "NX-P400")["problems"]

    assert [(found["path"], found["got"]) for found in many] == [("query.limit", "'many'")]
    assert [(found["path"], found["got"]) for found in none] == [("path.seq", "'0'")]


SHOPS_OWN = """
NEXUM = {"DASHBOARD": {"BRAND": "Ceramics ops", "BASE_TEMPLATE": "shops_base.html"}}
TEMPLATES = [{**TEMPLATES[0], "DIRS": ["."]}]
"""


@pytest.mark.parametrize(
    ("base", "lives"),
    [("<p>of the shop</p>{% block content %}{% endblock %}", True), ("{% url 'nothing' %}", False)],
)
def test_a_page_of_trouble_lives_in_the_shops_template_where_that_can_be_drawn(
    tmp_path: Path, base: str, lives: bool
) -> None:
    (tmp_path / "shops_base.html").write_text(base, "utf-8")
    with serving(fresh_sqlite(tmp_path), tmp_path, more=SHOPS_OWN) as url:
        page = httpx.get(f"{url}/runs/nothing/")

    assert page.status_code == 404
    assert ("of the shop" in page.text) is lives
    assert ("without the shop's template" in (tmp_path / "site.log").read_text()) is not lives
    assert "here is no run" in page.text
