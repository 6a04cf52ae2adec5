"""A compute handler that touches the world fails; everybody else is left alone."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nexum.errors import HandlerError
from nexum_workers.guard import pure


@pytest.mark.parametrize(
    "act",
    [
        lambda: Path("/etc/hostname").read_text(),
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: subprocess.run(["true"], check=False),
        lambda: os.system("true"),
        lambda: sqlite3.connect(":memory:"),
        lambda: os.putenv("A", "b"),
    ],
)
def test_an_impure_act_is_refused(act: Callable[[], object]) -> None:
    with pytest.raises(HandlerError) as caught, pure("score"):
        act()
    assert caught.value.code == "NX-R207"


def test_swallowing_the_refusal_does_not_help() -> None:
    with pytest.raises(HandlerError) as caught, pure("score"), contextlib.suppress(Exception):
        Path("/etc/hostname").read_text()
    assert caught.value.code == "NX-R207"
    assert "/etc/hostname" in caught.value.message


def test_pure_work_and_imports_pass() -> None:
    with pure("score"):
        import colorsys  # a module that nothing has imported yet

        assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)


def test_other_threads_are_not_affected(tmp_path: Path) -> None:
    inside, done = threading.Event(), threading.Event()
    problems: list[Exception] = []

    def neighbour() -> None:
        inside.wait(5)
        try:
            (tmp_path / "x").write_text("free")
        except Exception as error:
            problems.append(error)
        done.set()

    thread = threading.Thread(target=neighbour)
    thread.start()
    with pure("score"):
        inside.set()
        done.wait(5)
    thread.join()
    assert not problems
    assert (tmp_path / "x").read_text() == "free"
