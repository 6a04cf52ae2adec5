"""Tokens from the command line: shown once, listed without themselves, revoked by name or id."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres
from nexum.store.connect import open_store
from nexum.store.tokens import Token, check_token
from nexum.store.verbs import Verbs
from shopfloor import Shop

CREATE = ("token", "create", "--name", "ci", "--scope", "runs:read")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, shop: Shop, worker_name: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield shop.url
        return
    server: str = request.getfixturevalue("pg_server_url")
    made = fresh_postgres(server, worker_name)
    yield made
    drop_postgres(made, server)


def opens(url: str, token: str) -> Token | None:
    store = open_store(url)
    assert isinstance(store, Verbs)
    found = check_token(store, token)
    store.close()
    return found


def test_a_token_is_made_used_listed_and_revoked_on_either_database(shop: Shop, url: str) -> None:
    there = ("--database", url)
    made = shop.nexum(*CREATE, "--scope", "runs:start", *there)
    token = made.out.strip()

    assert (made.code, made.out) == (0, f"{token}\n")
    assert opens(url, token) == Token("ci", frozenset({"runs:read", "runs:start"}))
    (listed,) = shop.nexum("token", "list", "--json", *there).json["tokens"]
    assert (listed["name"], listed["state"], listed["expires_at"]) == ("ci", "valid", None)
    assert listed["scopes"] == ["runs:read", "runs:start"]
    assert listed["last_used_at"]

    revoked = shop.nexum("token", "revoke", listed["id"], *there)
    again = shop.nexum("token", "revoke", "ci", *there)

    assert (revoked.code, revoked.out) == (0, f"revoked: ci ({listed['id']})\n")
    assert (again.code, again.out) == (0, f"already revoked: ci ({listed['id']})\n")
    assert opens(url, token) is None


def test_the_secret_is_the_whole_of_standard_output_and_is_never_seen_again(shop: Shop) -> None:
    loud = shop.nexum(*CREATE)
    quiet = shop.nexum(*CREATE, "--quiet")
    spelled = shop.nexum(*CREATE, "--json")
    secrets = [loud.out.strip(), quiet.out.strip(), spelled.json["secret"]]

    assert [secret[:3] for secret in secrets] == ["nx_"] * 3
    assert [loud.out.count("\n"), quiet.out.count("\n"), quiet.err] == [1, 1, ""]
    assert "not shown again" in loud.err
    listed = shop.nexum("token", "list"), shop.nexum("token", "list", "--json")
    revoked = shop.nexum("token", "revoke", "ci")
    with closing(sqlite3.connect(shop.database)) as connection:
        kept = "\n".join(connection.iterdump())
    files = [path.read_bytes() for path in shop.folder.iterdir() if path.is_file()]
    for secret in secrets:
        assert secret not in loud.err + spelled.err + kept + revoked.out + "".join(a.out + a.err for a in listed)
        assert [secret.encode() in content for content in files] == [False] * len(files)


def test_a_token_for_some_days_says_until_when(shop: Shop) -> None:
    made = shop.nexum(*CREATE, "--days", "30", "--json").json["token"]
    (listed,) = shop.nexum("token", "list", "--utc").out.splitlines()[1:]

    assert made["expires_at"][:10] > made["created_at"][:10]
    assert made["expires_at"][:10] in listed


def test_an_expired_token_is_listed_as_expired(shop: Shop) -> None:
    assert shop.nexum(*CREATE, "--days", "1").code == 0
    with closing(sqlite3.connect(shop.database)) as connection, connection:
        connection.execute("UPDATE nexum_api_tokens SET expires_at = created_at + 1")

    said = shop.nexum("token", "list")

    assert "expired" in said.out
    assert said.err == "1 token, 0 valid.\n"


def test_revoking_a_name_ends_every_token_of_it_and_an_id_just_one(shop: Shop) -> None:
    old, new = (shop.nexum(*CREATE, "--json").json for _ in range(2))
    other = shop.nexum("token", "create", "--name", "other", "--scope", "runs:read").out.strip()

    by_id = shop.nexum("token", "revoke", old["token"]["id"], "--json").json
    after_id = [opens(shop.url, made["secret"]) is not None for made in (old, new)]
    by_name = shop.nexum("token", "revoke", "ci", "--json").json

    assert (by_id["revoked"], after_id) == (1, [False, True])
    assert (by_name["revoked"], len(by_name["tokens"])) == (1, 2)
    assert opens(shop.url, new["secret"]) is None
    assert opens(shop.url, other) is not None


def test_whoever_finds_a_token_can_revoke_it_by_itself(shop: Shop) -> None:
    token = shop.nexum(*CREATE).out.strip()

    said = shop.nexum("token", "revoke", token)

    assert said.code == 0
    assert token not in said.out + said.err
    assert opens(shop.url, token) is None


@pytest.mark.parametrize(
    ("words", "code", "exit_code", "told"),
    [
        (("create", "--name", "ci", "--scope", "runs:raed"), "NX-P404", 64, "did you mean runs:read?"),
        (("create", "--name", "ci", "--scope", "qqq"), "NX-P404", 64, "known are runs:read, runs:start, payloads:read"),
        (("create", "--name", "ci"), "NX-F110", 64, "--scope"),
        (("create", "--scope", "runs:read"), "NX-F110", 64, "--name"),
        (("create", "--name", " ", "--scope", "runs:read"), "NX-F110", 64, "a name says who uses the token"),
        ((*CREATE[1:], "--days", "0"), "NX-F110", 64, "0 is not in the range"),
        (("revoke", "nobody"), "NX-P405", 66, "there is no token 'nobody'"),
        (("revokee", "ci"), "NX-F110", 64, "revokee"),
    ],
)
def test_what_is_wrong_has_a_code_and_an_exit_code(
    shop: Shop, words: tuple[str, ...], code: str, exit_code: int, told: str
) -> None:
    said = shop.nexum("token", *words)

    assert (said.code, said.out) == (exit_code, "")
    assert code in said.err
    assert told in said.err


def test_a_token_is_never_repeated_in_a_complaint(shop: Shop) -> None:
    lost = "nx_" + "x" * 43
    said = [
        shop.nexum("token", "revoke", lost),
        shop.nexum("token", "create", "--name", lost, "--scope", "runs:read"),
    ]

    assert [answer.code for answer in said] == [66, 64]
    assert lost not in "".join(answer.out + answer.err for answer in said)


def test_manage_py_makes_tokens_for_the_projects_own_database(shop: Shop) -> None:
    (shop.folder / "pyproject.toml").unlink()
    env = {"DJANGO_SETTINGS_MODULE": "nexum_dashboard.settings", "NEXUM_DATABASE": shop.url}

    made = shop.python("-m", "django", "nexum", *CREATE, "--quiet", env=env)

    assert made.code == 0, made.err
    assert opens(shop.url, made.out.strip()) == Token("ci", frozenset({"runs:read"}))


def test_a_database_without_tables_is_named_before_a_token_is_made(shop: Shop, tmp_path: Path) -> None:
    said = shop.nexum(*CREATE, "--database", f"sqlite:///{tmp_path / 'missing.sqlite3'}")

    assert (said.code, said.out) == (78, "")
    assert "NX-S110" in said.err
