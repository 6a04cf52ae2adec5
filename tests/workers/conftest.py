"""Fleets of real workers on each database, without a broker; with one in `celery_fleet`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres, fresh_sqlite
from fleet import Fleet


@pytest.fixture(params=["sqlite", "postgres"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[Fleet]:
    """Workers without a broker, on both databases."""
    if request.param == "sqlite":
        made = Fleet(fresh_sqlite(tmp_path), tmp_path)
        yield made
        made.close()
        return
    server = request.getfixturevalue("pg_server_url")
    url = fresh_postgres(server, worker_name)
    made = Fleet(url, tmp_path)
    yield made
    made.close()
    drop_postgres(url, server)


@pytest.fixture
def celery_fleet(tmp_path: Path, pg_server_url: str, redis_url: str, worker_name: str) -> Iterator[Fleet]:
    """Celery workers on PostgreSQL and Redis."""
    url = fresh_postgres(pg_server_url, worker_name)
    made = Fleet(url, tmp_path, redis_url)
    yield made
    made.close()
    drop_postgres(url, pg_server_url)
