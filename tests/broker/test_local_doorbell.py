"""Datagrams wake the worker processes of one machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from nexum.broker.local import Ear, LocalDoorbell, bell_directory
from nexum.store.api import TaskKey

KEY = TaskKey("run", "node", 1, -1, 1)


def test_every_listening_process_that_serves_the_queue_is_woken(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as one, Ear(tmp_path, ["A@1", "B@2"]) as both:
        bell.ring("B@2", KEY)
        assert not one.wait(0)
        assert both.wait(1)
        bell.ring("A@1", KEY)
        assert one.wait(1)
        assert both.wait(1)
        assert not both.wait(0)
    bell.close()


def test_many_rings_are_one_waking(tmp_path: Path) -> None:
    bell = LocalDoorbell(tmp_path)
    with Ear(tmp_path, ["A@1"]) as ear:
        for _ in range(10_000):  # more than a socket's buffer holds: ringing must not block
            bell.ring("A@1", KEY)
        assert ear.wait(1)
        assert not ear.wait(0)
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
        ear.wake()
        assert ear.wait(1)


def test_the_directory_follows_from_the_database_and_fits_into_a_socket_name() -> None:
    long = bell_directory("sqlite:////" + "very/" * 60 + "deep.sqlite3")
    assert long != bell_directory("sqlite:///other")
    assert len(str(long / "1234567-abcdef.bell")) < 107
