"""What is printed in a log, a traceback or a shell never holds a password."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from databases import fresh_sqlite
from nexum.broker.doorbell import NullDoorbell
from nexum.broker.publisher import Publisher
from nexum.broker.senders import open_sender
from nexum.cli.commands.db import shown
from nexum.cli.project import Project
from nexum.client.connect import Connection
from nexum.client.runs import RunHandle
from nexum.errors import ConfigurationError
from nexum.settings import Settings, load_settings
from nexum.store.address import parse
from nexum.store.connect import open_store
from nexum_workers.models.door import Door

SECRET = "hunter2"
URL = f"postgresql://shop:{SECRET}@db.example.org/shop?password={SECRET}"
SETTINGS = Settings(
    database=URL,
    broker=f"redis://:{SECRET}@redis.example.org/0",
    llm={"openai": {"api_key": SECRET}},
    sources={"database": "the environment"},
)


def test_no_password_is_in_the_repr_of_anything_that_a_caller_holds(tmp_path: Path) -> None:
    store = open_store(fresh_sqlite(tmp_path))
    connection = Connection(store, NullDoorbell(), SETTINGS, URL)
    bell = Publisher(lambda: open_sender(SETTINGS.broker))
    door = Door(SETTINGS.llm)
    held = [
        RunHandle("01", connection),
        connection,
        SETTINGS,
        Project(SETTINGS, "", "", None),
        parse(URL),
        bell,
        open_store(URL),
        door,
        door.resolve("openai:gpt-4o"),
        store,
    ]

    assert [thing for thing in held if SECRET in repr(thing) or SECRET in str(thing)] == []
    assert repr(held[0]) == "RunHandle(run_id='01', existing=False)"
    assert "lease_seconds=15.0" in repr(SETTINGS)  # the rest of the settings is still shown
    bell.close()
    store.close()


def test_no_password_is_in_the_traceback_of_a_setting_that_does_not_fit() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env={}, cli={"llm": [SECRET], "database": {"url": SECRET}})

    assert caught.value.code == "NX-F102"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        (URL, "postgresql://shop:***@db.example.org/shop?password=***"),
        (f"redis://:{SECRET}@a/0;redis://u:{SECRET}@b/0", "redis://:***@a/0;redis://u:***@b/0"),
        (f"rediss://a/0?ssl_password={SECRET}&ssl_ca_certs=x", "rediss://a/0?ssl_password=***&ssl_ca_certs=x"),
        ("sqlite:///shop.sqlite3", "sqlite:///shop.sqlite3"),
    ],
)
def test_an_address_is_printed_without_its_password(url: str, printed: str) -> None:
    assert shown(url) == printed
