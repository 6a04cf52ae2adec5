"""A worker inside a Django shop with a Celery app of its own disturbs neither."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fleet import ROOMS
from nexum_workers.app import current_app, hand_back

DJANGO = """
import django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "%s", "CONN_MAX_AGE": 0}})
django.setup()
import os
from django.db import connection
from nexum_workers import django as ours
connection.ensure_connection()
inherited = connection.connection
pid = os.fork()
if pid == 0:
    ours.forget_inherited()
    own = connection.connection is None
    with ours.around_handlers()():
        connection.ensure_connection()
        opened = connection.connection is not inherited
    closed = connection.connection is None
    ours.close_all()
    os._exit(0 if own and opened and closed else 1)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
inherited.execute("SELECT 1")
print(code, ours.around_handlers().__name__)
"""

SHOP = """
from celery import Celery, shared_task
app = Celery("shop", broker="memory://")
@shared_task(name="shop.mail")
def mail(): ...
"""

HANDS = """
import json, shop
from celery import current_app as current, Celery
from nexum_workers.app import current_app, hand_back, make_app
before = current_app()
ours = make_app("redis://localhost", ["A@1"], lambda *_: None)
untouched = current.main
ours.set_current(); ours.set_default()
taken = current.main
hand_back(before)
print(json.dumps([untouched, taken, current.main, sorted(t for t in ours.tasks), shop.mail.app.main]))
"""


def _python(code: str, folder: Path) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*ROOMS, str(folder)])}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_connections_are_not_shared_over_a_fork_and_closed_around_handlers(tmp_path: Path) -> None:
    assert _python(DJANGO % (tmp_path / "shop.sqlite3"), tmp_path).split() == ["0", "tidy_connections"]


def test_the_shop_s_app_stays_current_and_its_tasks_do_not_come_to_us(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    untouched, taken, after, tasks, mail = json.loads(_python(HANDS, tmp_path))
    assert (untouched, taken, after) == ("shop", "nexum", "shop")
    assert tasks == ["nexum.run_node"]
    assert mail == "shop"


def test_where_no_app_was_current_none_is_afterwards() -> None:
    before = current_app()
    hand_back(before)
    assert current_app() == before
