"""What a compute handler must not call is found, where it stands."""

from __future__ import annotations

import datetime as dt
import os
import random
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from os import environ
from pathlib import Path
from random import choice as pick
from subprocess import run
from time import time as wall
from typing import Any

import pytest

from nexum.compiler.purity import impurities
from nexum.errors import Diagnostic

ROOT = Path("/")


class Rows:
    """What a Django model looks like from here."""

    _default_manager = None
    objects: Any = None


def found(handler: Callable[..., Any]) -> list[Diagnostic]:
    return list(impurities("node", handler))


def clock() -> object:
    return datetime.now()


def clock_through_a_module() -> object:
    return dt.datetime.now(dt.UTC).isoformat()


def renamed_clock() -> float:
    return wall()


def clock_imported_inside() -> float:
    from time import monotonic as tick

    return tick()


def measuring() -> None:
    time.monotonic_ns()


def chance() -> float:
    return random.random() + pick([1, 2])


def unseeded() -> float:
    return random.Random().random()


def identifier() -> uuid.UUID:
    return uuid.uuid4()


def per_process() -> int:
    return hash("text")


def environment() -> str:
    return os.environ["HOME"] + environ["USER"] + os.getenv("PATH", "")


def files() -> str:
    return ROOT.read_text() + open("x").read() + Path("y").read_text()


def network() -> object:
    import requests

    return requests.get("https://example.org")


def programs() -> object:
    return run(["ls"])


def rows() -> object:
    return Rows.objects.filter(id=1).first()


def _helper() -> float:
    return time.time()


def through_a_helper() -> float:
    return _helper()


def pure(text: str) -> object:
    seeded = random.Random(7)
    name = datetime.now
    day = datetime(2026, 1, 1) + dt.timedelta(days=1)
    return (sorted(text), uuid.uuid5(uuid.NAMESPACE_DNS, text), seeded.random(), day, str(Path("a") / "b"), name)


def shadowed(time: Any, open: Callable[[str], str]) -> object:  # noqa: A002 (that is the point)
    return time.time(), open("x")


@pytest.mark.parametrize(
    ("handler", "touched"),
    [
        (clock, ["`datetime.now()` touches a clock"]),
        (clock_through_a_module, ["`dt.datetime.now(dt.UTC)` touches a clock"]),
        (renamed_clock, ["`wall()` touches a clock"]),
        (clock_imported_inside, ["`tick()` touches a clock"]),
        (measuring, ["`time.monotonic_ns()` touches a clock"]),
        (chance, ["`random.random()` touches randomness", "`pick([1, 2])` touches randomness"]),
        (unseeded, ["`random.Random()` touches randomness"]),
        (identifier, ["`uuid.uuid4()` touches randomness"]),
        (per_process, ["`hash('text')` touches something that differs between processes"]),
        (
            environment,
            [
                "`os.environ` touches the environment",
                "`environ` touches the environment",
                "`os.getenv('PATH', '')` touches the environment",
            ],
        ),
        (
            files,
            [
                "`ROOT.read_text()` touches files",
                "`open('x')` touches files",
                "`Path('y').read_text()` touches files",
            ],
        ),
        (network, ["`requests.get('https://example.org')` touches the network"]),
        (programs, ["`run(['ls'])` touches other programs or threads"]),
        (rows, ["`Rows.objects.filter(id=1).first()` touches a database"]),
    ],
)
def test_a_banned_call_is_found(handler: Callable[..., Any], touched: list[str]) -> None:
    assert sorted(item.message.partition(" in ")[0] for item in found(handler)) == sorted(touched)


def test_a_helper_of_the_module_is_followed() -> None:
    (item,) = found(through_a_helper)

    assert item.message == "`time.time()` touches a clock in compute node `node` (through `_helper`)"
    assert item.snippet == "    return time.time()"


def test_what_is_repeatable_is_not_banned() -> None:
    assert found(pure) == []


def test_a_parameter_may_be_called_like_a_module() -> None:
    assert found(shadowed) == []


def test_the_place_of_the_call_is_exact() -> None:
    (item,) = found(clock)

    assert item.code == "NX-B112"
    assert item.file == __file__
    assert item.snippet[item.column - 1 : item.end_column - 1] == "datetime.now()"
    assert Path(__file__).read_text().splitlines()[item.line - 1] == item.snippet
