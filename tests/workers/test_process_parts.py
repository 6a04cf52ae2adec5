"""The small parts of a worker process: slots, turns, deadlines, the board, the proof of a death."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest

from nexum.engine.work import Succeeded, Work
from nexum_workers import pulse as pulses
from nexum_workers.board import Board, Phase
from nexum_workers.forking import GATE, Lifeline
from nexum_workers.limits import Answer, Limits, Stuck
from nexum_workers.pulse import OvertimeError, Pulse, Returned, in_time
from nexum_workers.slots import Slots, Turn
from nexum_workers.tending import death_of
from nexum_workers.watchdog import Watchdog
from waiting import until


class FakeClock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_slots_are_bounded_and_given_back_by_any_thread() -> None:
    slots = Slots(2)
    assert slots.take(0)
    assert slots.take(0)
    assert not slots.take(0)
    threading.Thread(target=slots.give_back).start()
    assert slots.take(5)
    assert not slots.wait_until_idle(0.01)
    assert slots.wait_until_idle(0.01, leaving=2)
    slots.give_back()
    slots.give_back()
    slots.wait_for_room()
    assert slots.wait_until_idle(0)


def test_a_turn_ends_after_32_steps() -> None:
    turn = Turn()
    assert [turn.step() for _ in range(64)].count(True) >= 2
    assert turn.step() is False


def test_the_watchdog_bites_what_is_not_released_in_time() -> None:
    bitten: list[str] = []
    clock = FakeClock()
    dog: Watchdog[str] = Watchdog(bitten.append, clock)
    slow, quick = dog.watch("slow", 10), dog.watch("quick", 10)
    assert dog.release(quick)
    with dog.limit("short", 5):
        clock.now += 4
    clock.now += 7
    until(lambda: bitten == ["slow"])
    assert not dog.release(slow)


def test_what_ran_out_while_the_process_stood_still_is_given_a_grace() -> None:
    clock = FakeClock()
    dog: Watchdog[str] = Watchdog(lambda _: None, clock, grace=5, lingers=90)
    asleep = dog.watch("asleep", 10)
    clock.now += 60
    assert dog.overdue() == []  # it woke 60 s late: nobody watched, and nobody could report
    clock.now += 0.9
    assert dog.overdue() == []
    assert dog.release(asleep)  # what it held is its own to tell


def test_the_grace_after_standing_still_ends_and_is_not_given_after_too_long() -> None:
    clock = FakeClock()
    dog: Watchdog[str] = Watchdog(lambda _: None, clock, grace=5, lingers=90)
    dog.watch("stuck", 10)
    clock.now += 60
    assert dog.overdue() == []
    for _ in range(6):
        assert dog.overdue() == []
        clock.now += 0.9
    assert dog.overdue() == ["stuck"]  # awake for five seconds, and nothing came

    dog.watch("given up", 10)
    dog.overdue()
    clock.now += 200
    assert dog.overdue() == ["given up"]  # others may act already: whoever slept as long must not go on


def test_an_attempt_that_the_watchdog_took_hands_over_what_its_handler_brings() -> None:
    answer = Answer()
    assert answer.take() is None
    answer.give(Succeeded(b"1"))
    assert answer.take() == Succeeded(b"1")
    assert answer.take() is None


async def _answered_after(clock: FakeClock, seconds: float, pulse: Pulse) -> Returned:
    """An answer that lies ready when the process wakes, and takes the loop some rounds to read."""

    async def call() -> Returned:
        read = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, read.set)
        clock.now += seconds
        await read.wait()
        return "read", None

    return await in_time(call(), pulse)


@pytest.mark.parametrize(("seconds", "read"), [(60, "read"), (0.5, None)])
def test_an_async_handler_may_read_what_arrived_while_its_process_stood_still(seconds: float, read: str | None) -> None:
    clock = FakeClock()
    node = SimpleNamespace(id="wire", timeouts=SimpleNamespace(heartbeat=0))
    pulse = Pulse(cast("Work", SimpleNamespace(node=node, max_run=20_000)), clock=clock)
    value, error = asyncio.run(_answered_after(clock, seconds, pulse))
    assert (value, isinstance(error, OvertimeError)) == (read, read is None)


def test_a_handler_that_ignores_its_cancellation_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its attempt is not told as ended while it may still send: the watchdog ends the process."""
    monkeypatch.setattr(pulses, "GRACE_SECONDS", 0.01)
    told: list[str] = []

    async def persistent() -> Returned:
        ends = asyncio.get_running_loop().time() + 0.1
        while (left := ends - asyncio.get_running_loop().time()) > 0:
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(asyncio.Event().wait(), left)
        told.append("sent")
        return "receipt", None

    node = SimpleNamespace(id="wire", timeouts=SimpleNamespace(heartbeat=0))
    pulse = Pulse(cast("Work", SimpleNamespace(node=node, max_run=20_000)))
    assert asyncio.run(in_time(persistent(), pulse)) == ("receipt", None)
    assert told == ["sent"]


def test_an_attempt_that_is_told_to_end_is_watched_for_a_grace_and_then_bitten_with_its_late_answer_kept() -> None:
    clock, bitten = FakeClock(), []
    dog: Watchdog[Stuck] = Watchdog(bitten.append, clock)
    node = SimpleNamespace(id="wire", timeouts=SimpleNamespace(heartbeat=4_000_000))
    work = cast("Work", SimpleNamespace(node=node, max_run=20_000_000))
    limits, silent = Limits(dog, work, 5), Limits(dog, work, 5)
    clock.now += 8
    limits.beat()
    clock.now += 2
    until(lambda: [stuck.what for stuck in bitten] == ["wire"])
    assert not silent.end(Succeeded(b"1"))
    assert bitten[0].answer.take() == Succeeded(b"1")
    assert limits.end()


def test_the_phase_only_goes_forward_and_is_seen_by_a_child() -> None:
    board = Board()
    assert board.phase is Phase.RUN
    pid = os.fork()
    if pid == 0:
        board.report("session-1", is_open=False)
        board.raise_to(Phase.DRAIN)
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.phase is Phase.DRAIN
    board.raise_to(Phase.RUN)
    assert board.phase is Phase.DRAIN
    assert board.reports() == [(pid, "session-1", False)]
    assert board.reports() == []


@pytest.mark.parametrize(("how", "said"), [("exit", "exit with 7"), ("kill", "die of SIGKILL")])
def test_a_death_is_proven_without_reaping_the_child(how: str, said: str) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(7)
    assert death_of(pid) == ""
    os.write(write, b"x")
    assert said in until(lambda: death_of(pid))
    assert os.waitpid(pid, 0)[0] == pid
    assert "has reaped" in death_of(pid)
    os.close(read)
    os.close(write)


def test_a_fork_waits_until_nobody_talks_to_the_database() -> None:
    talking, forked = threading.Event(), threading.Event()

    def talk() -> None:
        with GATE:
            talking.set()
            assert not forked.wait(0.2)

    thread = threading.Thread(target=talk)
    thread.start()
    talking.wait(5)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if GATE.acquire(blocking=False) else 1)
    forked.set()
    thread.join()
    assert os.waitpid(pid, 0)[1] == 0


def test_a_child_notices_that_its_parent_is_gone() -> None:
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        line = Lifeline()
        child = os.fork()
        if child == 0:
            line.hold_on(lambda: os._exit(0 if os.write(write, b"orphan") else 1))
            threading.Event().wait(20)
            os._exit(1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(read, 16) == b"orphan"
    os.close(read)
    os.close(write)
