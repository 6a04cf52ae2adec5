"""Who sees what: staff by permission, scripts by token, nobody else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nexum.errors import InputError
from nexum.store.tokens import check_token, create_token, revoke_token
from nexum.testing.samples import CLAIM

SECRET = "hanako@example.test"  # stands in payloads only


def test_somebody_who_is_not_signed_in_is_sent_to_the_login(shop: Any) -> None:
    answer = httpx.get(f"{shop.url}/runs/?q=status:failed")

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/admin/login/?next=%2Fnexum%2Fruns%2F%3Fq%3Dstatus%3Afailed"


def test_a_fragment_is_refused_rather_than_replaced_by_a_login_form(shop: Any) -> None:
    assert httpx.get(f"{shop.url}/runs/live", headers={"HX-Request": "true"}).status_code == 401


def test_somebody_who_is_not_staff_does_not_learn_that_the_pages_exist(shop: Any) -> None:
    with shop.as_user("customer") as customer:
        assert customer.get("/runs/").status_code == 404
        assert customer.get(f"/runs/{shop.ids['completed']}/").status_code == 404


def test_staff_without_the_permission_is_told_which_one(shop: Any) -> None:
    with shop.as_user("clerk") as clerk:
        answer = clerk.get("/runs/")

    assert answer.status_code == 403
    assert "NX-P403" in answer.text
    assert "nexum.view_run" in answer.text


@pytest.mark.parametrize("path", ["?tab=io", "nodes/purchase/", "nodes/verdict/", "events/1/", "events/3/"])
def test_bodies_are_for_those_who_may_read_payloads(shop: Any, path: str) -> None:
    address = f"/runs/{shop.ids['completed']}/{path}"
    with shop.as_user("viewer") as viewer, shop.as_user("operator") as operator:
        hidden, shown = viewer.get(address), operator.get(address)

    assert (hidden.status_code, shown.status_code) == (200, 200)
    assert "nexum.view_payload" in hidden.text
    assert SECRET not in hidden.text
    assert "磁器" not in hidden.text
    assert SECRET in shown.text or "磁器" in shown.text


def test_tracebacks_are_payloads_too(shop: Any) -> None:
    address = f"/runs/{shop.ids['failed']}/nodes/refund/"
    with shop.as_user("viewer") as viewer, shop.as_user("operator") as operator:
        assert "Traceback (most recent call last)" not in viewer.get(address).text
        assert "Traceback (most recent call last)" in operator.get(address).text


def test_a_download_needs_the_permission(shop: Any) -> None:
    with shop.as_user("operator") as operator, shop.as_user("viewer") as viewer:
        named = operator.get(f"/runs/{shop.ids['completed']}/events/1.json").json()["event"]["payloads"][0]
        address = f"/runs/{shop.ids['completed']}/events/1/p/{named['hash']}/"

        assert (operator.get(address).status_code, viewer.get(address).status_code) == (200, 403)


def test_a_request_without_a_token_is_answered_with_401_and_a_problem(shop: Any) -> None:
    answer = httpx.get(f"{shop.url}/api/v1/runs")

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "NX-P401"


def test_the_session_of_a_signed_in_user_does_not_open_the_api(shop: Any, operator: httpx.Client) -> None:
    assert operator.post("/api/v1/runs", json={"workflow": "RefundAgent", "input": CLAIM}).status_code == 401


def test_a_scope_that_is_missing_is_named(shop: Any) -> None:
    with shop.with_token("runs:read") as script:
        answer = script.post("/runs", json={"workflow": "RefundAgent", "input": CLAIM})

    assert answer.status_code == 403
    assert answer.json()["code"] == "NX-P403"
    assert "runs:start" in answer.json()["detail"]


def test_values_are_for_tokens_that_may_read_payloads(shop: Any) -> None:
    address = f"/runs/{shop.ids['completed']}"
    with shop.with_token("runs:read") as lists, shop.with_token("runs:read", "payloads:read") as reads:
        assert lists.get(address).json()["input"]["value"] is None
        assert reads.get(address).json()["input"]["value"]["email"] == SECRET
        assert lists.get(f"{address}/events/3").json()["body"] is None
        assert SECRET not in lists.get(f"{address}/nodes/letter").text


def test_a_token_is_kept_as_a_hash_and_checked_by_it(shop: Any) -> None:
    token = create_token(shop.store, "nightly", ("runs:read",))
    kept = shop.store.database
    with kept.once() as tx:
        rows = tx.execute("SELECT hash, name, scopes FROM nexum_api_tokens WHERE name = 'nightly'").fetchall()

    assert token.startswith("nx_")
    assert [token.encode() in bytes(row[0]) or token in str(row) for row in rows] == [False]
    found = check_token(shop.store, token)
    assert found is not None
    assert (found.name, found.scopes) == ("nightly", frozenset({"runs:read"}))
    assert revoke_token(shop.store, "nightly") == 1
    assert check_token(shop.store, token) is None


def test_an_expired_token_opens_nothing(shop: Any) -> None:
    token = create_token(shop.store, "yesterday", ("runs:read",), expires_at=shop.store.now() - 1)

    assert check_token(shop.store, token) is None
    assert httpx.get(f"{shop.url}/api/v1/runs", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("scopes", [("runs:raed",), ()])
def test_a_token_with_a_scope_that_does_not_exist_is_not_made(shop: Any, scopes: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as refused:
        create_token(shop.store, "typo", scopes)

    assert refused.value.code == "NX-P404"
    assert "runs:read" in refused.value.message


def test_metrics_want_a_token_or_somebody_who_sees_pages(shop: Any, operator: httpx.Client) -> None:
    token = create_token(shop.store, "prometheus", ("runs:read",))
    other = create_token(shop.store, "starter", ("runs:start",))
    answers = [
        httpx.get(f"{shop.url}/metrics", headers={"Authorization": f"Bearer {given}"}).status_code
        for given in (token, other, "nx_wrong")
    ]

    assert answers == [200, 403, 401]
    assert operator.get("/metrics").status_code == 200
    assert httpx.get(f"{shop.url}/metrics").status_code == 302


def test_the_admin_shows_runs_and_lets_nobody_change_them(shop: Any) -> None:
    root = shop.url.removesuffix("/nexum")
    with shop.as_user("viewer") as viewer:
        listed = viewer.get(f"{root}/admin/nexum/run/")
        one = viewer.get(f"{root}/admin/nexum/run/{shop.ids['completed']}/change/")
        refused = [
            viewer.get(f"{root}/admin/nexum/run/{way}").status_code
            for way in ("add/", f"{shop.ids['completed']}/delete/")
        ]

    assert (listed.status_code, one.status_code, refused) == (200, 200, [403, 403])
    assert f"/nexum/runs/{shop.ids['completed']}/" in listed.text
    assert 'name="_save"' not in one.text
