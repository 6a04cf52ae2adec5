"""The dashboard inside a shop with users, in a process of its own, on a database with a run in every standing.

Every answer carries `X-Queries`: how many statements the engine's store has executed for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from nexum.readouts.dead import read_dead
from nexum.store.connect import open_store
from nexum.store.doubts import doubts
from nexum.store.tokens import create_token
from nexum.store.verbs import Verbs
from nexum.testing.samples import MINUTE, Clock, Stage, fill
from nexum.testing.site import environment, serving

SETTINGS = """
import warnings

warnings.simplefilter("error", DeprecationWarning)  # what the next Django takes away fails on this one
warnings.simplefilter("error", PendingDeprecationWarning)
INSTALLED_APPS = [
    *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages"),
    *("django.contrib.sessions", "django.contrib.staticfiles", "nexum_dashboard"),
]
MIDDLEWARE = [
    "shop_counting.count",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
ROOT_URLCONF = "shop_urls"
LOGIN_URL = "/admin/login/"
SECRET_KEY = "of this test"
NEXUM = {**globals().get("NEXUM", {}), "FOUR_EYES": ["pay.twice"]}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("nexum/", include("nexum_dashboard.urls"))]
"""
COUNTING = """
from nexum.store.statement import Transaction

made = [0]
execute = Transaction.execute


def counted(self, *args):
    made[0] += 1
    return execute(self, *args)


Transaction.execute = counted


def count(get_response):
    def answer(request):
        made[0] = 0
        response = get_response(request)
        response["X-Queries"] = str(made[0])
        return response

    return answer
"""
USERS = """
import json

import django

django.setup()
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command

call_command("migrate", verbosity=0)
view = Permission.objects.get(codename="view_run", content_type__app_label="nexum")
bodies = Permission.objects.get(codename="view_payload", content_type__app_label="nexum")
decide = Permission.objects.get(codename="resolve_effect", content_type__app_label="nexum")
control = Permission.objects.get(codename="control_run", content_type__app_label="nexum")
end = list(Permission.objects.filter(codename__in=["rewind_run", "terminate_run"], content_type__app_label="nexum"))
keys = {}
for name, staff, permissions in (
    ("operator", True, [view, bodies, decide, control, *end]), ("support", True, [view, bodies, control]), ("second", True, [view, bodies, decide]), ("viewer", True, [view]), ("clerk", True, []), ("customer", False, [view, bodies])
):
    user = User.objects.create(username=name, is_staff=staff)
    user.user_permissions.set(permissions)
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.save()
    keys[name] = session.session_key
print(json.dumps(keys))
"""


@dataclass
class Shop:
    """Where the shop answers, its runs by name, its users' sessions, and the store behind it."""

    url: str
    ids: dict[str, str]
    sessions: dict[str, str]
    store: Verbs
    stage: Stage

    def as_user(self, name: str = "operator") -> httpx.Client:
        """A browser in which this user is signed in."""
        return httpx.Client(base_url=self.url, cookies={"sessionid": self.sessions[name]}, timeout=30)

    def with_token(self, *scopes: str) -> httpx.Client:
        """A script with a token of these scopes."""
        token = create_token(self.store, "script", scopes)
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, once for all tests of this process."""
    folder = tmp_path_factory.mktemp("shop")
    database = f"sqlite:///{folder / 'shop.sqlite3'}"
    for name, text in (("shop_urls", URLS), ("shop_counting", COUNTING), ("shop_users", USERS)):
        (folder / f"{name}.py").write_text(text, "utf-8")
    sessions = _users(database, folder)
    clock = Clock(time.time_ns() // 1000 - 20 * MINUTE)
    past = open_store(database, clock=clock)
    filled = fill(past, clock, more=12)
    past.close()
    store = open_store(database)
    assert isinstance(store, Verbs)
    filled.ids["doubt_key"] = doubts(store, run_id=filled.ids["in_doubt"])[0].key
    filled.ids["dead_group"] = read_dead(store).groups[0].fingerprint
    with serving(database, folder, login=True, more=SETTINGS) as url:
        yield Shop(url, filled.ids, sessions, store, Stage(store, Clock(0), session="worker-9-1"))
    store.close()


def _users(database: str, folder: Path) -> dict[str, str]:
    env = environment(database, folder, login=True, more=SETTINGS)
    command = [sys.executable, "shop_users.py"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return made


@pytest.fixture
def operator(shop: Shop) -> Iterator[httpx.Client]:
    """A browser of somebody who may see everything."""
    with shop.as_user() as client:
        yield client
