"""Which broker a process has, and which doorbell follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from nexum.broker.doorbell import Doorbell
from nexum.broker.local import LocalDoorbell, bell_directory
from nexum.broker.options import transport_options
from nexum.broker.publisher import Publisher
from nexum.broker.senders import open_sender
from nexum.errors import ConfigurationError
from nexum.settings import NO_BROKER, Settings


def broker_url(settings: Settings) -> str:
    """The broker's URL, "" for none: `broker`, else that of the shop's `celery_app`, of which nothing else is taken.

    Raises `ConfigurationError` (NX-Q207) when `celery_app` cannot be imported or is not a Celery app.
    """
    if settings.broker:
        return "" if settings.broker == NO_BROKER else settings.broker
    if not settings.celery_app:
        return ""
    conf = shop_app(settings).conf
    return str(conf.broker_write_url or conf.broker_url or "")


def shop_app(settings: Settings) -> Any:
    """The shop's own Celery app, named `module:attribute` by the setting `celery_app`.

    Raises `ConfigurationError` (NX-Q207) when there is no such object, or it has no Celery configuration.
    """
    module, _, attribute = settings.celery_app.partition(":")
    try:
        app = getattr(import_module(module), attribute or "app")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"celery_app is {settings.celery_app!r}, which cannot be imported: {error}", code="NX-Q207"
        ) from error
    if not hasattr(app, "conf") or not hasattr(app, "set_current"):
        raise ConfigurationError(
            f"celery_app is {settings.celery_app!r}, which is {type(app).__name__} and not a Celery app", code="NX-Q207"
        )
    return app


def open_doorbell(database_url: str, broker: str = "", extra: Mapping[str, Any] | None = None) -> Doorbell:
    """The doorbell for a database and maybe a broker: local datagrams, and messages for what nobody here answers.

    Opens no connection yet. Raises `ConfigurationError` (NX-Q206) for broker options that could hang a worker.
    """
    local = LocalDoorbell(bell_directory(database_url))
    if not broker:
        return local
    transport_options(broker, extra)  # refuse now, not in the side thread
    return Publisher(lambda: open_sender(broker, extra), local=local)
