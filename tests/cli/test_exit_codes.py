"""Every exit code by its name, and no failure that looks like a verdict."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from nexum.cli.exits import Exit, Terminated, conclude
from nexum.errors import NexumError
from nexum.errors.catalogue import CATALOGUE
from shopfloor import AGENTS, BROKEN, CHANGED, Shop
from waiting import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
NO_TABLES = "sqlite:///empty.sqlite3"


def start_in_flight(shop: Shop) -> None:
    assert shop.nexum("deploy").code == 0
    assert shop.nexum("start", "Greeter", "-p", "name=Mika", "-k", "one").code == 0


def breaking(shop: Shop) -> int:
    start_in_flight(shop)
    shop.write(CHANGED)
    return shop.nexum("deploy").code


def ended_badly(shop: Shop) -> int:
    shop.nexum("deploy")
    with shop.running("worker", "--processes", "1"):
        return shop.nexum("start", "Angry", "-p", "name=Mika", "--wait", "--timeout", "30s").code


def problem_found(shop: Shop) -> int:
    start_in_flight(shop)
    return shop.nexum("doctor").code


def other_input(shop: Shop) -> int:
    start_in_flight(shop)
    return shop.nexum("start", "Greeter", "-p", "name=Miko", "-k", "one").code


def build_error(shop: Shop) -> int:
    shop.write(BROKEN)
    return shop.nexum("build").code


def bug(shop: Shop) -> int:
    shop.write(AGENTS + "\nraise SystemExit(1)\n")  # what a user's module does to us at worst
    return shop.nexum("build").code


def cannot_write(shop: Shop) -> int:
    (shop.folder / "file").touch()
    return shop.nexum("build", "--out", "file/below").code


def gave_up(shop: Shop) -> int:
    start_in_flight(shop)
    return shop.nexum("start", "Greeter", "-p", "name=Mika", "--wait", "--timeout", "50ms").code


def stopped_by(order: signal.Signals) -> Callable[[Shop], int]:
    def stop(shop: Shop) -> int:
        start_in_flight(shop)
        with shop.running("start", "Greeter", "-p", "name=Mika", "--wait") as waiting:
            until(lambda: "\nrun " in f"\n{shop.log.read_text()}")
            waiting.send_signal(order)
            return waiting.wait(10)

    return stop


WAYS: dict[Exit, Callable[[Shop], int]] = {
    Exit.DONE: lambda shop: shop.nexum("build").code,
    Exit.BREAKING: breaking,
    Exit.RUN_ENDED_BADLY: ended_badly,
    Exit.PROBLEM_FOUND: problem_found,
    Exit.PRECONDITION: other_input,
    Exit.USAGE: lambda shop: shop.nexum("build", "--chekc").code,
    Exit.DATA: build_error,
    Exit.NOT_FOUND: lambda shop: shop.nexum("show", "01a2b3c4").code,
    Exit.UNAVAILABLE: lambda shop: shop.nexum("list", "--database", NOWHERE).code,
    Exit.BUG: bug,
    Exit.CANNOT_WRITE: cannot_write,
    Exit.GAVE_UP: gave_up,
    Exit.CONFIGURATION: lambda shop: shop.nexum("list", "--database", NO_TABLES).code,
    Exit.INTERRUPTED: stopped_by(signal.SIGINT),
    Exit.TERMINATED: stopped_by(signal.SIGTERM),
}


@pytest.mark.parametrize("code", list(WAYS), ids=lambda code: code.name)
def test_a_command_ends_with_the_code_of_the_table(code: Exit, shop: Shop) -> None:
    assert WAYS[code](shop) == code


def test_every_code_in_use_is_reached() -> None:
    # two versions are not compared yet, so nothing is critical; permissions are asked for by pages and REST
    assert set(Exit) - set(WAYS) == {Exit.CRITICAL, Exit.NOT_PERMITTED}


def failing(error: BaseException) -> Callable[[], int]:
    def act() -> int:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (click.UsageError("x"), 64),
        (click.BadParameter("x"), 64),
        (click.FileError("x"), 73),
        (click.ClickException("x"), 64),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (EOFError(), 130),
        (Terminated(), 143),
        (SystemExit(1), 70),
        (SystemExit(2), 70),
        (ValueError("x"), 70),
        (MemoryError(), 70),
        (GeneratorExit(), 70),
        (NexumError("x", code="NX-R404"), 66),
    ],
    ids=repr,
)
def test_nothing_that_fails_looks_like_a_verdict(error: BaseException, code: int) -> None:
    assert conclude(failing(error), lambda error, code: None) == code


def test_no_error_of_ours_has_the_code_of_a_verdict() -> None:
    assert {entry.exit_code for entry in CATALOGUE.values()} & {0, 1, 2} == set()
    assert {entry.exit_code for entry in CATALOGUE.values()} <= {int(code) for code in Exit}


def test_a_bug_leaves_its_traceback_in_a_file_and_says_where() -> None:
    said: list[NexumError] = []

    conclude(failing(ZeroDivisionError("by nothing")), lambda error, code: said.append(error))

    path = Path(said[0].fixes[0].rpartition(" ")[2])
    assert said[0].code == "NX-X100"
    assert "ZeroDivisionError: by nothing" in path.read_text()
    path.unlink()


def test_a_reader_that_leaves_is_no_verdict(shop: Shop) -> None:
    script = f"{sys.executable} -m nexum explain | true; exit ${{PIPESTATUS[0]}}"
    done = shop.python("-c", f"import subprocess,sys; sys.exit(subprocess.call(['bash','-c',{script!r}]))")

    assert done.code in (0, 73)


@pytest.mark.parametrize(
    "entry", [("-m", "nexum"), ("-c", "import sys; from nexum.cli.main import run; sys.exit(run())")]
)
@pytest.mark.parametrize(("words", "code"), [(("bogus",), 64), (("explain", "NX-R404"), 0), (("explain", "nope"), 66)])
def test_each_door_gives_the_same_codes(shop: Shop, entry: tuple[str, str], words: tuple[str, ...], code: int) -> None:
    assert shop.python(*entry, *words).code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [(("bogus",), 64), (("build", "--chekc"), 64), (("explain", "nope"), 66), (("db", "status"), 78), (("build",), 78)],
)
def test_manage_py_gives_the_same_codes(shop: Shop, words: tuple[str, ...], code: int) -> None:
    (shop.folder / "pyproject.toml").unlink()
    env = {"DJANGO_SETTINGS_MODULE": "nexum_dashboard.settings"}

    assert shop.python("-m", "django", "nexum", *words, env=env).code == code
