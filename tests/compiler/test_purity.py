"""What a compute handler must not call is found, where it stands."""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
import time
import types
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
now = datetime.now


class ManagerDescriptor:
    """What Django puts into a model's class for each of its managers."""


class Rows:
    """What a Django model looks like from here."""

    _default_manager = None
    objects: Any = None
    paid: Any = ManagerDescriptor()

    def save(self) -> None: ...

    def delete(self) -> None: ...

    def total(self) -> int:
        return 1


SHOP = types.ModuleType("shop_of_this_test")
SHOP.models = models = types.ModuleType("shop_of_this_test.models")  # type: ignore[attr-defined]
SHOP.Rows = models.Rows = Rows  # type: ignore[attr-defined]
SHOP.tick = time.monotonic  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shop_of_this_test", SHOP)
    monkeypatch.setitem(sys.modules, "shop_of_this_test.models", models)


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


def rows_of_a_module() -> object:
    return models.Rows.objects.count()


def rows_imported_inside() -> object:
    from shop_of_this_test.models import Rows as R  # type: ignore[import-not-found]

    return R.objects.count()


def rows_of_a_module_that_nobody_imported() -> object:
    from shop_of_tomorrow.models import Order  # type: ignore[import-not-found]

    return Order.objects.count()


def rows_by_another_manager() -> object:
    return list(Rows.paid.all())


def rows_by_a_variable() -> object:
    rows = Rows.objects
    return rows.count()


def rows_saved() -> None:
    Rows().save()
    row = models.Rows()
    row.delete()
    Rows.save(row)
    row.total()


def rows_of_a_parameter(row: Rows | None, other: "models.Rows") -> None:  # noqa: UP037 (quoted on purpose)
    assert row is not None
    row.save()
    other.delete()


def clock_under_another_name() -> object:
    return now()


def clock_in_a_variable() -> object:
    tell = datetime.now
    return tell(dt.UTC)


def clock_under_another_module_s_name() -> float:
    from shop_of_this_test import tick  # type: ignore[import-not-found]

    return tick() + SHOP.tick()


def file_in_a_variable() -> str:
    path = Path("x")
    return path.read_text()


def _helper() -> float:
    return time.time()


class Clock:
    """A class of the handlers' own module; what is called of it is followed."""

    def __init__(self, offset: float = 0) -> None:
        self.offset = offset

    def read(self) -> float:
        return self._read() + self.offset

    def _read(self) -> float:
        return time.time()

    @property
    def day(self) -> dt.date:
        return dt.date.today()

    @staticmethod
    def zone() -> str:
        return os.environ["TZ"]

    def __call__(self) -> float:
        return time.monotonic()

    def unused(self) -> object:
        return open("x")


class Started(Clock):
    def __init__(self) -> None:
        super().__init__(random.random())


CLOCK = Clock()


def through_a_method() -> float:
    return Clock().read()


def through_a_variable() -> float:
    clock = Clock(3)
    return clock.read()


def through_a_property(clocks: list[Clock]) -> list[dt.date]:
    return [clock.day for clock in clocks]


def through_a_static_method() -> str:
    return Clock.zone()


def through_an_instance_of_the_module() -> float:
    return CLOCK()


def through_a_constructor() -> float:
    return Started().offset


def through_a_helper() -> float:
    return _helper()


def pure(text: str) -> object:
    seeded = random.Random(7)
    name = datetime.now
    day = datetime(2026, 1, 1) + dt.timedelta(days=1)
    text = text.strip()
    first = second = text
    second = first
    return (sorted(text), uuid.uuid5(uuid.NAMESPACE_DNS, second), seeded.random(), day, str(Path("a") / "b"), name)


def own_words(objects: dict[str, Any], unused: dict[str, Any]) -> object:
    """Names that mean something else elsewhere mean nothing here."""
    clock = CLOCK.offset
    return objects.values(), unused.get("read"), "unused".join(["a"]), clock, Rows().total()


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
        (rows_of_a_module, ["`models.Rows.objects.count()` touches a database"]),
        (rows_imported_inside, ["`R.objects.count()` touches a database"]),
        (rows_of_a_module_that_nobody_imported, ["`Order.objects.count()` touches a database"]),
        (rows_by_another_manager, ["`Rows.paid.all()` touches a database"]),
        (rows_by_a_variable, ["`Rows.objects` touches a database"]),
        (rows_saved, [f"`{call}` touches a database" for call in ("Rows().save()", "row.delete()", "Rows.save(row)")]),
        (rows_of_a_parameter, ["`row.save()` touches a database", "`other.delete()` touches a database"]),
        (clock_under_another_name, ["`now()` touches a clock"]),
        (clock_in_a_variable, ["`tell(dt.UTC)` touches a clock"]),
        (clock_under_another_module_s_name, ["`tick()` touches a clock", "`SHOP.tick()` touches a clock"]),
        (file_in_a_variable, ["`path.read_text()` touches files"]),
    ],
)
def test_a_banned_call_is_found(handler: Callable[..., Any], touched: list[str]) -> None:
    assert sorted(item.message.partition(" in ")[0] for item in found(handler)) == sorted(touched)


def test_a_helper_of_the_module_is_followed() -> None:
    (item,) = found(through_a_helper)

    assert item.message == "`time.time()` touches a clock in compute node `node` (through `_helper`)"
    assert item.snippet == "    return time.time()"


@pytest.mark.parametrize(
    ("handler", "touched", "through"),
    [
        (through_a_method, "`time.time()` touches a clock", "Clock._read"),
        (through_a_variable, "`time.time()` touches a clock", "Clock._read"),
        (through_a_property, "`dt.date.today()` touches a clock", "Clock.day"),
        (through_a_static_method, "`os.environ` touches the environment", "Clock.zone"),
        (through_an_instance_of_the_module, "`time.monotonic()` touches a clock", "Clock.__call__"),
        (through_a_constructor, "`random.random()` touches randomness", "Started.__init__"),
    ],
)
def test_methods_of_the_module_s_classes_are_followed(handler: Callable[..., Any], touched: str, through: str) -> None:
    (item,) = found(handler)

    assert item.message == f"{touched} in compute node `node` (through `{through}`)"


@pytest.mark.parametrize("handler", [pure, own_words])
def test_what_is_repeatable_is_not_banned(handler: Callable[..., Any]) -> None:
    assert found(handler) == []


def test_a_parameter_may_be_called_like_a_module() -> None:
    assert found(shadowed) == []


def test_the_place_of_the_call_is_exact() -> None:
    (item,) = found(clock)

    assert item.code == "NX-B112"
    assert item.file == __file__
    assert item.snippet[item.column - 1 : item.end_column - 1] == "datetime.now()"
    assert Path(__file__).read_text().splitlines()[item.line - 1] == item.snippet
