"""On PostgreSQL a page never waits for long: while somebody holds the table, it says so and is free again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import httpx
import psycopg2
import pytest

from databases import drop_postgres, fresh_postgres
from nexum.store.connect import open_store
from nexum.store.tokens import create_token
from nexum.store.verbs import Verbs
from nexum.testing.site import serving
from nexum_dashboard import place

SETTINGS = """
from nexum_dashboard import place
place.PATIENCE = 0.5  # so that the tests are quick
NEXUM = {"FLOWER_URL": "https://ops.example.com/flower/"}
"""
BORROWED = """
import os
del os.environ["NEXUM_DATABASE"]  # so that the store is the one on Django's own connection
DATABASES["default"]["ATOMIC_REQUESTS"] = True
"""
FILTER = "duration:>30s"


class Site(NamedTuple):
    """Where it answers, its database, and a token for it."""

    url: str
    database: str
    token: dict[str, str]


@pytest.fixture(scope="module", params=["open", "every request a transaction"])
def site(
    request: pytest.FixtureRequest, pg_server_url: str, worker_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The dashboard on PostgreSQL; once on a connection of its own, once on Django's, inside a transaction."""
    database = fresh_postgres(pg_server_url, worker_name)
    store = open_store(database)
    assert isinstance(store, Verbs)
    token = create_token(store, "script", ("runs:read",))
    store.close()
    more = SETTINGS if request.param == "open" else SETTINGS + BORROWED
    with serving(database, tmp_path_factory.mktemp("site"), more=more) as url:
        yield Site(url, database, {"Authorization": f"Bearer {token}"})
    drop_postgres(database, pg_server_url)


@pytest.fixture
def held(site: Site) -> Iterator[Site]:
    """The site while somebody alters the table of runs."""
    with closing(psycopg2.connect(site.database)) as connection:
        connection.cursor().execute("LOCK TABLE nexum_runs IN ACCESS EXCLUSIVE MODE")
        yield site
        connection.rollback()


def get(site: Site, path: str, **how: Any) -> httpx.Response:
    return httpx.get(f"{site.url}{path}", timeout=20, **how)


def test_a_list_that_takes_too_long_is_a_page_that_says_what_helps(held: Site) -> None:
    page = get(held, "/runs/", params={"q": FILTER})

    assert page.status_code == 503
    assert page.elapsed.total_seconds() < 5
    assert "NX-S109" in page.text
    assert "<h1>The database was still reading after 0.5 s</h1>" in page.text
    assert "<li>narrow the list: " in page.text


def test_a_script_is_answered_with_a_problem(held: Site) -> None:
    answer = get(held, "/api/v1/runs", headers=held.token)
    problem = answer.json()

    assert (answer.status_code, problem["status"], problem["code"]) == (503, 503, "NX-S109")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == "/nexum/e/NX-S109/"
    assert "narrow the list" in problem["fixes"][0]


@pytest.mark.parametrize("authorized", [True, False])
def test_metrics_are_answered_too(held: Site, authorized: bool) -> None:
    answer = get(held, "/metrics", headers=held.token if authorized else {})

    assert answer.status_code == 503
    assert "NX-S109" in answer.text


@pytest.mark.parametrize("path", ["/runs/", "/runs.json", "/versions/", "/metrics", "/api/v1/runs"])
def test_the_next_request_is_answered_as_ever(site: Site, path: str) -> None:
    assert get(site, path, headers=site.token).status_code == 200


def test_every_page_has_a_way_to_flower_where_the_settings_name_it(site: Site) -> None:
    for path in ("/runs/", "/versions/", "/e/"):
        assert '<a href="https://ops.example.com/flower/" rel="noreferrer">Flower</a>' in get(site, path).text


def test_five_seconds_are_the_patience_of_an_installation() -> None:
    assert place.PATIENCE == 5
