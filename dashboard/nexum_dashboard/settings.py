"""Settings for Nexum without a project of one's own: the repository's `manage.py`, `nexum db`, `nexum dev`.

`NEXUM_DATABASE_URL` names the database (`postgresql://...` or `sqlite:///path`); the default is `.nexum/nexum.db` below
the working directory. `NEXUM_SECRET_KEY` makes sessions survive a restart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from nexum.store.django import database_settings

DATABASE_URL = os.environ.get("NEXUM_DATABASE_URL") or f"sqlite:///{Path.cwd() / '.nexum' / 'nexum.db'}"

SECRET_KEY = os.environ.get("NEXUM_SECRET_KEY") or secrets.token_urlsafe(32)
DEBUG = os.environ.get("NEXUM_DEBUG", "") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
DATABASES = {"default": database_settings(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["nexum_dashboard"]
USE_TZ = True
TIME_ZONE = "UTC"
