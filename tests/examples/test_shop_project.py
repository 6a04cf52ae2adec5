"""The example shop is a Django project like any other: it checks, it migrates, its own tests pass, on both databases."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from nexum.testing.services import database
from shopproject import ShopProject

CHECK = """
import json
from django.core.checks import run_checks
from django.core.management import call_command
call_command("makemigrations", "--check", "--dry-run")  # ends with 1 when something is missing
print(json.dumps([str(found) for found in run_checks()]))
"""


def test_the_shop_is_sound_and_its_migrations_are_complete(tmp_path: Path) -> None:
    assert ShopProject(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}").python(CHECK) == []


def test_the_shop_s_own_tests_pass_on_sqlite(tmp_path: Path) -> None:
    said = ShopProject(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}").manage("test")

    assert "Ran 13 tests" in said
    assert "\nOK" in said


def test_the_shop_s_own_tests_pass_on_postgresql(tmp_path: Path, pg_server_url: str) -> None:
    with database(pg_server_url, f"shop_{uuid4().hex}") as url:
        said = ShopProject(tmp_path, url).manage("test")

    assert "Ran 13 tests" in said
    assert "\nOK" in said
