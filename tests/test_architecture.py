"""Who may know whom, beyond what import-linter can see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import ROOMS, dotted, imports, module_name, shown, sources, tree

OUTSIDE = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid4",
    "open",
    "print",
    "input",
}
GUESTS = {
    "celery": ("nexum_workers",),
    "kombu": ("nexum.broker",),
    "redis": ("nexum.broker",),
    "sqlalchemy": ("nexum.store",),
    "django": ("nexum_dashboard", "nexum_migrations", "nexum.store.django", "nexum.cli", "nexum_workers.django"),
}


@pytest.mark.parametrize("guest", GUESTS)
def test_each_guest_stays_in_its_rooms(guest: str) -> None:
    strays = [
        f"{module_name(path)} imports {imported}"
        for path in sources()
        for imported, _ in imports(path)
        if imported.split(".")[0] == guest and not is_in(module_name(path), GUESTS[guest])
    ]

    assert strays == []


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def core() -> Iterator[Path]:
    yield from (path for path in sources() if path.is_relative_to(ROOMS["nexum"] / "core"))


def test_the_core_reads_no_clock_and_touches_nothing() -> None:
    calls = [
        f"{shown(path)}:{node.lineno} {dotted(node.func)}"
        for path in core()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) in OUTSIDE
    ]

    assert calls == []


def test_a_private_name_stays_in_its_package() -> None:
    strays = [
        f"{module_name(path)} imports {module}.{name}"
        for path in sources()
        for module, name in imports(path)
        if module.split(".")[0] in ROOMS
        and not module.startswith("nexum_migrations.")  # `_` there: no migration
        and not module_name(path).startswith(module.rpartition(".")[0] or module)
        and any(part.startswith("_") and not part.startswith("__") for part in (*module.split("."), name))
    ]

    assert strays == []


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after a statement."""
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.check_output([sys.executable, "-c", script], text=True).split())


def test_importing_nexum_is_cheap() -> None:
    assert loaded_by("import nexum") & {"celery", "django", "kombu", "psycopg2", "redis", "sqlalchemy"} == set()


def test_deciding_loads_no_database_and_no_broker() -> None:
    heavy = {"asyncio", "celery", "django", "kombu", "psycopg2", "redis", "sqlalchemy"}

    assert loaded_by("import nexum.core.run.decide") & heavy == set()
