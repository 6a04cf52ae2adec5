"""Settings for Nexum without a project of one's own: the repository's `manage.py`, `nexum db`, `nexum dev`.

`NEXUM_DATABASE` names the database (`postgresql://...` or `sqlite:///path`); the default is `.nexum/dev.sqlite3` below
the working directory. `DJANGO_SECRET_KEY` makes sessions survive a restart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from nexum.settings import DEV_DATABASE
from nexum.store.django import database_settings

_OWN_FILE = Path.cwd() / DEV_DATABASE
DATABASE_URL = os.environ.get("NEXUM_DATABASE") or f"sqlite:///{_OWN_FILE}"
if not os.environ.get("NEXUM_DATABASE"):
    _OWN_FILE.parent.mkdir(exist_ok=True)  # SQLite makes the file, never its folder

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(32)
DEBUG = os.environ.get("DJANGO_DEBUG", "") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
DATABASES = {"default": database_settings(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.staticfiles", "nexum_dashboard"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "nexum_dashboard.site"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "UTC"
NEXUM_NO_LOGIN = True  # there are no users here; ALLOWED_HOSTS keeps other machines' pages out
