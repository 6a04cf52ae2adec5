"""Servers for the whole session: one PostgreSQL for all test processes, one Redis for each."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexum.testing.services import postgres_server, redis_server

EVERYBODY_S = tempfile.gettempdir()


@pytest.fixture(scope="session", autouse=True)
def own_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder for the temporary files of this test process and its children: bells, tracebacks; gone at the end.

    Its name is short, for sockets are put below it, and others than its owner may use it, as they may use everybody's.
    """
    tmp_path_factory.getbasetemp()  # where pytest keeps its own, which outlive a run
    folder = tempfile.mkdtemp(prefix="nexum-")
    os.chmod(folder, 0o1777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pg_server_url() -> Iterator[str]:
    """An administrator's URL; all processes of one test run share the server, so name databases after `worker_name`."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid{os.getpid()}")
    directory = Path(EVERYBODY_S) / f"nexum-pg-{run}"
    with postgres_server(directory, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis of this test process alone, so that a test may flush it."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def worker_name() -> str:
    """The name of this test process: `main`, or `gw0`, `gw1`, ... under xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


# Modules whose tests start, kill and wait for whole processes. They take minutes, so they are a suite of their own.
PROCESSES = frozenset(
    {
        "test_asked_after_a_kill",
        "test_acting",
        "test_bad_input",
        "test_beside_a_shop",
        "test_breaker",
        "test_breaker_shared",
        "test_calls_killed",
        "test_celery_workers",
        "test_connect",
        "test_dashboard_patience",
        "test_dev",
        "test_dlq",
        "test_docs",
        "test_doubt_resolved",
        "test_doctor",
        "test_doctor_broker",
        "test_exit_codes",
        "test_fake_pay",
        "test_flower_events",
        "test_flower_lists_nodes",
        "test_frozen_workers",
        "test_in_doubt",
        "test_in_doubt_calls",
        "test_in_doubt_reconcile",
        "test_killed_at_points",
        "test_killed_everywhere",
        "test_on_paper",
        "test_outages",
        "test_pages",
        "test_poison",
        "test_scheduler",
        "test_shop_project",
        "test_shop_running",
        "test_tokens",
        "test_transaction_killed",
        "test_tutorial",
        "test_undone_once",
        "test_worker_logs",
        "test_worker_start",
        "test_workers_without_broker",
    }
)


# Laws: the fast suite tries a part of their examples, the thorough one all.
LAWS = frozenset({"properties", "test_store_verbs_twins"})

# What makes a repetition of the tests of engine and store: settings, and a PostgreSQL that may have no functions.
REPEATED = frozenset({"inbox always", "blobs always", "lease 1 s", "bare"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is not in the fast suite, or only a part of it."""
    for item in items:
        if item.path.stem in PROCESSES:
            item.add_marker(pytest.mark.processes)
        if not LAWS.isdisjoint((item.path.stem, item.path.parent.name)):
            item.add_marker(pytest.mark.law)
        if item.path.parent.name in ("engine", "store") and not REPEATED.isdisjoint(_parameters(item)):
            item.add_marker(pytest.mark.hostile)


def _parameters(item: pytest.Item) -> list[str]:
    _, _, told = item.name.partition("[")
    return told.rstrip("]").split("-")
