"""Datagrams wake the worker processes of one machine."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nexum.broker.local import Ear, LocalDoorbell, Ring, bell_directory
from nexum.store.api import TaskKey
from waiting import until

KEY = TaskKey("run", "node", 1, -1, 1)


def heard(ear: Ear) -> str:
    """The queue of the next ring."""
    ring = ear.wait(10)
    assert ring is not None
    return ring.queue


def fork(act: Callable[[], object]) -> int:
    """A child that does this and ends; gives its pid."""
    pid = os.fork()
    if pid == 0:  # the child must not return into pytest
        act()
        os._exit(0)
    return pid


def is_running(pid: int) -> bool:
    """Whether a child of ours has not ended yet."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def test_every_worker_that_serves_the_queue_is_told(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as one, Ear(tmp_path, ["A@1", "B@2"]) as both:
        bell.ring("B@2", KEY)
        assert one.wait(0) is None
        assert heard(both) == "B@2"
        bell.ring("A@1", KEY)
        assert heard(one) == heard(both) == "A@1"
        assert both.wait(0) is None
    bell.close()


def test_a_ring_goes_to_one_of_the_children_that_wait(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    read, write = os.pipe()
    with Ear(tmp_path, ["A@1"]) as ear:
        children = [fork(lambda: os.write(write, b"x" if ear.wait(30) else b"-")) for _ in range(3)]
        for told in range(1, 4):
            bell.ring("A@1", KEY)
            assert os.read(read, 9) == b"x"
            until(lambda: len([pid for pid in children if is_running(pid)]) == 3 - told)  # noqa: B023
    bell.close()


def test_ringing_more_than_a_socket_holds_does_not_block(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as ear:
        for _ in range(10_000):
            bell.ring("A@1", KEY)
        assert heard(ear) == "A@1"
    bell.close()


def test_a_ring_from_before_an_empty_look_is_left_out(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as ear:
        bell.ring("A@1", KEY)
        assert ear.wait(0, since=time.monotonic_ns()) is None
    bell.close()


def test_who_rang_is_told_that_somebody_looks(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as ear:
        first, second = bell.call("A@1"), bell.call("A@1")
        ring = ear.wait(1)
        assert ring is not None
        assert bell.answers(0) == []
        ear.answer(ring)
        assert bell.answers(1) == [first]
        assert second == first + 1
    bell.close()
    assert os.listdir(tmp_path) == []


def test_a_child_that_has_become_busy_leaves_the_ring_and_its_answer_to_another(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as ear:
        number = bell.call("A@1")
        ring = ear.wait(1)
        assert ring is not None
        ear.pass_on(ring)
        again = ear.wait(1)
        assert again is not None
        ear.answer(again)
        assert bell.answers(1) == [number]
    bell.close()


def test_nobody_answers_where_nobody_listens(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    assert bell.call("A@1") == 0
    with Ear(tmp_path, ["A@1"]):
        assert bell.call("A@1") != 0
    assert bell.call("A@1") == 0
    bell.close()


def test_noise_is_no_ring(tmp_path: Path) -> None:
    with Ear(tmp_path, ["A@1"]) as ear, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        (path,) = tmp_path.iterdir()
        for noise in (b"", b"\xff", b"A@1", b"1 2 3", b"x y z A@1"):
            stranger.sendto(noise, str(path))
        assert ear.wait(0.05) is None
        bell = LocalDoorbell(tmp_path)
        bell.ring("A@1", KEY)
        assert heard(ear) == "A@1"
        bell.close()


def test_an_answer_never_leaves_the_directory(tmp_path: Path) -> None:
    inside = tmp_path / "bells"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside, Ear(inside, ["A@1"]) as ear:
        outside.bind(str(tmp_path / "outside"))
        outside.setblocking(False)
        ear.answer(Ring(0, 7, "../outside", "A@1"))
        with pytest.raises(BlockingIOError):
            outside.recv(9)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone = fork(lambda: None)
    until(lambda: not is_running(gone))
    (tmp_path / f"{gone}-abcdef.echo").touch()
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]):
        bell.call("A@1")
        assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bell", ".echo"]
        assert not (tmp_path / f"{gone}-abcdef.echo").exists()
    bell.close()


def test_the_socket_of_a_dead_process_is_swept_away(tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "1-dead.bell"))
    dead.close()
    bell = LocalDoorbell(tmp_path)
    bell.ring("A@1", KEY)
    assert os.listdir(tmp_path) == []
    bell.close()


def test_ringing_where_nobody_ever_listened_does_nothing(tmp_path: Path) -> None:
    LocalDoorbell(tmp_path / "nowhere").ring("A@1", KEY)


def test_a_thread_can_wake_the_waiting_one(tmp_path: Path) -> None:
    with Ear(tmp_path, []) as ear:
        began = time.monotonic()
        ear.wake()
        assert ear.wait(30) is None
        assert time.monotonic() - began < 15


def test_the_directory_follows_from_the_database_and_fits_into_a_socket_name() -> None:
    long = bell_directory("sqlite:////" + "very/" * 60 + "deep.sqlite3")
    assert long != bell_directory("sqlite:///other")
    assert len(str(long / "1234567-abcdef.bell")) < 107
