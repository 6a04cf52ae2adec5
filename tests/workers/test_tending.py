"""What the parent does for its children when the database is away, and what it must not forget."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from nexum.errors import UnavailableError
from nexum_workers.board import Board
from nexum_workers.outage import Outage
from nexum_workers.tending import Tender
from waiting import until


@dataclass
class FakeStore:
    """Collects what it is told; refuses while `away`."""

    away: bool = False
    ended: list[tuple[str, str]] = field(default_factory=list)
    beaten: list[tuple[str, ...]] = field(default_factory=list)

    def _check(self) -> None:
        if self.away:
            raise UnavailableError("refused")

    def end_session(self, session: str, *, proof: str) -> None:
        self._check()
        self.ended.append((session, proof))

    def beat(self, sessions: tuple[str, ...]) -> frozenset[str]:
        self._check()
        self.beaten.append(sessions)
        return frozenset(sessions)

    def close(self) -> None:
        pass


def _child(board: Board, session: str) -> tuple[int, Any]:
    """A process that reports its session and lives until it is told to go."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        board.report(session, is_open=True)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    return pid, lambda: os.write(write, b"x")


def test_a_death_while_the_database_is_away_is_told_when_it_is_back() -> None:
    board, store, chores = Board(), FakeStore(), []
    pid, go = _child(board, "s1")
    tender = Tender(board, lambda: store, lease=0.3, chores=(lambda: chores.append(1),))  # type: ignore[arg-type,return-value]
    tender.start()
    until(lambda: len(store.beaten) > 2)
    store.away = True
    go()
    until(lambda: not tender.living)
    os.waitpid(pid, 0)
    before = len(chores)
    until(lambda: len(chores) > before + 1)  # chores go on without a database
    assert store.ended == []
    store.away = False
    ((session, proof),) = until(lambda: store.ended)
    assert session == "s1"
    assert "exit with 0" in proof
    tender.stop()


def test_stopping_ends_the_sessions_of_children_that_are_gone() -> None:
    board, store = Board(), FakeStore()
    pid, go = _child(board, "s1")
    tender = Tender(board, lambda: store, lease=30)  # type: ignore[arg-type,return-value]
    tender.start()
    until(lambda: tender.living)
    go()
    os.waitpid(pid, 0)
    tender.stop()
    assert [session for session, _ in store.ended] == ["s1"]
    assert not any(thread.name == "nexum-tender" for thread in threading.enumerate())


def test_a_process_number_that_was_given_to_another_child_ends_the_first_one_s_session() -> None:
    board, store = Board(), FakeStore()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # it plays two children that had the same number, one after the other
        board.report("older", is_open=True)
        board.report("younger", is_open=True)
        os.write(write, b"x")
        threading.Event().wait(20)
        os._exit(0)
    os.read(read, 1)
    tender = Tender(board, lambda: store, lease=30)  # type: ignore[arg-type,return-value]
    tender.look()
    assert tender.living == {pid: "younger"}
    ((session, proof),) = store.ended
    assert session == "older"
    assert "younger child" in proof
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_an_outage_is_told_at_once_then_seldom_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    outage = Outage("the database does not answer", logging.getLogger("nexum.worker"), lambda: now[0])
    down = UnavailableError("refused")
    with caplog.at_level(logging.INFO, logger="nexum.worker"):
        for _ in range(4 * 60 * 20):  # twenty minutes, four times a second, by two who ask in turn
            outage.failed("look", down)
            outage.failed("chore", down)
            now[0] += 0.25
        outage.answered("chore")
        outage.answered("look")
        outage.answered("look")
    lines = [record.getMessage() for record in caplog.records]
    told = [line.partition(" now")[0].rpartition(" for ")[2] for line in lines[1:-1]]
    assert lines[0].startswith("the database does not answer: ")
    assert told == ["10 s", "30 s", "70 s", "150 s", "310 s", "610 s", "910 s"]
    assert lines[-1] == "over after 1200 s: the database does not answer"
    assert {getattr(record, "code", "") for record in caplog.records[:-1]} == {down.code}


def test_a_parent_without_a_database_says_so_once_although_its_chores_go_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board, store, chores = Board(), FakeStore(away=True), []
    pid, go = _child(board, "s1")
    tender = Tender(board, lambda: store, lease=0.03, chores=(lambda: chores.append(1),))  # type: ignore[arg-type,return-value]
    with caplog.at_level(logging.INFO, logger="nexum.worker"):
        tender.start()
        until(lambda: len(chores) > 3)
        store.away = False
        until(lambda: "over after" in caplog.text)
    assert caplog.text.count("cannot look after its children: ") == 1
    go()
    os.waitpid(pid, 0)
    tender.stop()
