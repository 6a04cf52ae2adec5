"""A compute handler that asks or changes the database through Django fails; everybody else's queries pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import ROOMS

SHOP = """
import asyncio, contextlib, json, sys, types
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": %r, "CONN_MAX_AGE": None}},
    INSTALLED_APPS=["shop"], USE_TZ=True,
)
django.setup()
from django.db import connection, connections, transaction
from shop.models import Order
from nexum.errors import HandlerError
from nexum_workers import django as ours
from nexum_workers.guard import pure

connection.ensure_connection()  # open before anybody guards it
around = ours.around_handlers()
with connection.schema_editor() as editor:
    editor.create_model(Order)

def told(act):
    try:
        with pure("score"):
            act()
    except HandlerError as error:
        return [error.code, error.message]
    return "passed"

def swallowed():
    with contextlib.suppress(Exception):
        Order.objects.count()

def in_a_transaction():
    with transaction.atomic():
        Order(number="1").save()

def raw():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
"""

ASKED = """
with around():
    found = {act.__name__: told(act) for act in (swallowed, in_a_transaction, raw)}
    found["count"] = told(lambda: Order.objects.count())
    found["again"] = told(lambda: Order.objects.count())
    outside = Order.objects.count()
print(json.dumps([found, outside, len(connection.execute_wrappers)]))
"""

AWAITED = """
async def score():
    with contextlib.suppress(Exception):
        await Order.objects.acount()
async def told_of_it():
    try:
        with pure("score"):
            await score()
    except HandlerError as error:
        return error.code
print(json.dumps([asyncio.run(told_of_it()), Order.objects.count()]))
"""

REOPENED = """
connection.close()
with pure("warm"):
    pass
connection.ensure_connection()
print(json.dumps([told(lambda: Order.objects.count()), len(connection.execute_wrappers)]))
"""

BUILT = """
from shop.handlers import by_a_module, by_a_name, by_a_new_row
from nexum.compiler.purity import impurities
print(json.dumps([[item.message.partition(" in ")[0] for item in impurities("score", handler)]
                  for handler in (by_a_module, by_a_name, by_a_new_row)]))
"""

MODELS = """
from django.db import models
class Order(models.Model):
    number = models.CharField(max_length=9)
    paid = models.Manager()
    objects = models.Manager()
"""

HANDLERS = """
from shop import models
def by_a_module(): return models.Order.objects.count() + models.Order.paid.count()
def by_a_name():
    from .models import Order as O
    return O.objects.count()
def by_a_new_row(): models.Order(number="1").save()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    (tmp_path / "shop" / "handlers.py").write_text(HANDLERS)
    return tmp_path


def answer(shop: Path, code: str) -> list[object]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*ROOMS, str(shop)])}
    code = SHOP % str(shop / "shop.sqlite3") + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_a_query_of_a_compute_handler_is_refused_on_an_open_connection(shop: Path) -> None:
    found, outside, wrappers = answer(shop, ASKED)

    assert isinstance(found, dict)
    assert {name: told[0] for name, told in found.items()} == dict.fromkeys(found, "NX-R207")
    assert found["count"][1].startswith("score is a compute node, but it called the database: SELECT COUNT(*)")
    assert (outside, wrappers) == (0, 1)


def test_a_query_that_is_awaited_is_refused_too(shop: Path) -> None:
    assert answer(shop, AWAITED) == ["NX-R207", 0]


def test_a_connection_that_is_opened_again_is_guarded_once(shop: Path) -> None:
    told, wrappers = answer(shop, REOPENED)

    assert isinstance(told, list)
    assert told[0] == "NX-R207"
    assert wrappers == 1


def test_the_build_finds_queries_on_models_of_django(shop: Path) -> None:
    assert answer(shop, BUILT) == [
        ["`models.Order.objects.count()` touches a database", "`models.Order.paid.count()` touches a database"],
        ["`O.objects.count()` touches a database"],
        ["`models.Order(number='1').save()` touches a database"],
    ]
