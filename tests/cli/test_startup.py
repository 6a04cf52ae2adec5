"""What a command line costs before it does anything: counted in modules, which do not depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shopfloor import environment

HEAVY = {"django", "sqlalchemy", "celery", "kombu", "redis", "pydantic", "rich", "watchfiles", "httpx", "psycopg2"}
REPORT = """
import sys
from nexum.cli.main import run
code = run({words!r})
print(code, *sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded_by(*words: str) -> tuple[int, set[str]]:
    """The exit code of a command in a fresh interpreter, and the top-level modules that it needed."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(words=list(words))],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    code, *names = done.stderr.splitlines()[-1].split()
    return int(code), set(names)


@pytest.mark.parametrize("words", [("--help",), (), ("explain", "NX-R404"), ("explain", "--help")])
def test_help_loads_no_heavy_library(words: tuple[str, ...]) -> None:
    code, names = loaded_by(*words)

    assert code == 0
    assert names & HEAVY == set()


def test_help_loads_few_modules() -> None:
    script = "import sys; before = len(sys.modules); import nexum.cli.main; print(len(sys.modules) - before)"
    count = int(subprocess.check_output([sys.executable, "-c", script], env=environment(), text=True))

    assert count < 200, "click, the error catalogue and ourselves; 200 ms on a slow machine"


def test_a_build_needs_no_database_and_no_broker() -> None:
    _, names = loaded_by("build")

    assert names & {"django", "sqlalchemy", "celery", "kombu", "redis"} == set()
