"""The dashboard on this machine: Django's threaded server with its static files, without a login."""

from __future__ import annotations

import os
import signal
import threading

LOOPBACK = "127.0.0.1"
OWN_SETTINGS = "nexum_dashboard.settings"
OWN_SITE = "nexum_dashboard.site"
PATH = "/nexum/"


def serve(port: int) -> int:
    """Serve on loopback until told to stop. Uses the project's settings, or our own without a project."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", OWN_SETTINGS)
    import django
    from django.conf import settings
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application
    from django.urls import NoReverseMatch, clear_url_caches, reverse

    settings.NEXUM_NO_LOGIN = True
    settings.DEBUG = True  # static files are served from where they lie
    django.setup()
    try:
        reverse("nexum:home")
    except NoReverseMatch:  # the project has not mounted the dashboard
        settings.ROOT_URLCONF = OWN_SITE
        clear_url_caches()

    class Quiet(WSGIRequestHandler):
        """Says which requests failed, not which succeeded."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if str(code) >= "500":
                super().log_request(code, size)

    server = ThreadedWSGIServer((LOOPBACK, port), Quiet)
    server.daemon_threads = True
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    for order in (signal.SIGTERM, signal.SIGINT):
        signal.signal(order, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0
