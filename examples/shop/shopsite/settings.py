"""The shop's settings. What Nexum needs is one app, one url and, if at all, one dictionary."""

from __future__ import annotations

import os
from pathlib import Path

from nexum.store.django import database_settings

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "for-this-example-only")
DEBUG = os.environ.get("SHOP_DEBUG", "1") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "shopsite.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
LOGIN_URL = "/admin/login/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "nexum_dashboard",
    "orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": database_settings(os.environ.get("SHOP_DATABASE_URL") or f"sqlite:///{BASE_DIR / 'shop.db'}")}

CELERY_BROKER_URL = os.environ.get("SHOP_BROKER_URL", "")  # empty: this example runs without a broker,
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL  # and then the shop's own tasks run where they are called
NEXUM = {
    "CELERY_APP": "shopsite.celery:app" if CELERY_BROKER_URL else "",
    "LLM": {"SCRIPT": "orders.script:JUDGE"},
}
