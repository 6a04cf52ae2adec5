"""A process is declared dead only when three clocks agree."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from nexum.presence import is_gone, session_name
from nexum.store.api import SessionRow
from nexum_orchestrator.health import STUCK, Health
from nexum_orchestrator.sessions import MOST, Vigil
from waiting import until

LEASE = 15_000_000


@dataclass
class FakeStore:
    """Sessions, and a clock of the database that tests set."""

    rows: dict[str, SessionRow] = field(default_factory=dict)
    time: int = 1_000_000_000
    ended: dict[str, str] = field(default_factory=dict)

    def sessions(self) -> list[SessionRow]:
        return list(self.rows.values())

    def now(self) -> int:
        return self.time

    def end_session(self, session: str, *, proof: str) -> None:
        self.ended[session] = proof
        del self.rows[session]

    def open(self, session: str) -> None:
        self.rows[session] = SessionRow(session, "worker", "web-1", 7, 6, (), 4, self.time, self.time, 0, "LIVE", LEASE)

    def beat(self, session: str) -> None:
        row = self.rows[session]
        self.rows[session] = row._replace(beats=row.beats + 1, beat_at=self.time)


class Scene:
    """A vigil, its store, and both clocks."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.seconds = 50.0
        self.gone: set[int] = set()
        self.vigil = Vigil(
            self.store,  # type: ignore[arg-type]
            me="scheduler here",
            clock=lambda: self.seconds,
            gone=lambda session, pid: pid in self.gone,
        )

    def pass_time(self, seconds: float, *, beating: str = "") -> list[str]:
        """Let both clocks run, looking every second; gives what was declared dead."""
        dead: list[str] = []
        for _ in range(round(seconds)):
            self.seconds += 1
            self.store.time += 1_000_000
            if beating:
                self.store.beat(beating)
            dead += self.vigil.look()
        return dead


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.store.open("s1")
    return made


def test_a_silent_session_dies_after_its_lease_and_the_proof_says_why(scene: Scene) -> None:
    assert scene.pass_time(15) == []
    assert scene.pass_time(2) == ["s1"]
    assert "scheduler here watched beat 0 for 15.0 s" in scene.store.ended["s1"]


def test_a_beating_session_lives(scene: Scene) -> None:
    assert scene.pass_time(100, beating="s1") == []


def test_a_step_of_the_database_s_clock_declares_nobody_dead(scene: Scene) -> None:
    scene.pass_time(3)
    scene.store.time += 3_600_000_000
    assert scene.pass_time(5) == []
    scene.store.beat("s1")
    assert scene.pass_time(14) == []


def test_a_database_that_was_away_begins_the_watch_anew(scene: Scene) -> None:
    scene.pass_time(14)
    scene.vigil.forget()  # a look failed
    assert scene.pass_time(14) == []
    scene.store.beat("s1")
    assert scene.pass_time(15) == []


def test_a_scheduler_that_was_stopped_itself_begins_the_watch_anew(scene: Scene) -> None:
    scene.pass_time(10)
    scene.seconds += 60
    scene.store.time += 60_000_000
    assert scene.vigil.look() == []
    assert scene.pass_time(14) == []
    assert scene.pass_time(3) == ["s1"]


def test_a_new_scheduler_waits_a_whole_lease_before_it_judges(scene: Scene) -> None:
    scene.store.time += 3_600_000_000
    fresh = Scene()
    fresh.store = scene.store
    fresh.vigil = Vigil(scene.store, me="fresh", clock=lambda: fresh.seconds)  # type: ignore[arg-type]
    assert fresh.pass_time(14) == []
    assert fresh.pass_time(3) == ["s1"]


def test_not_everybody_dies_at_once() -> None:
    scene = Scene()
    for number in range(MOST + 5):
        scene.store.open(f"s{number}")
    scene.pass_time(15)
    assert len(scene.pass_time(1)) == MOST
    assert len(scene.pass_time(1)) == 5


def test_a_scheduler_that_makes_no_progress_is_ended() -> None:
    codes: list[int] = []
    seconds = [0.0]
    health = Health(limit=0.1, end=codes.append, clock=lambda: seconds[0])
    health.watch()
    assert health.is_well()
    seconds[0] = 1.0
    until(lambda: codes == [STUCK], 5)
    health.alive()
    assert health.is_well()


def test_a_neighbour_whose_whole_worker_is_gone_is_buried_without_waiting_for_its_lease(scene: Scene) -> None:
    scene.gone = {7, 6}

    assert scene.pass_time(1) == ["s1"]
    assert "process 7 is gone" in scene.store.ended["s1"]


def test_a_child_whose_parent_lives_is_left_to_its_parent(scene: Scene) -> None:
    scene.gone = {7}

    assert scene.pass_time(1) == []


def test_a_process_knows_which_of_its_neighbours_are_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = session_name("here")
        assert not is_gone(name, process.pid)
        process.kill()
        process.wait()

        assert is_gone(name, process.pid)


@pytest.mark.parametrize("session", ["here:1:00000000-12345678", "here:1:12345678", "s1", ""])
def test_a_process_of_another_table_is_never_proven_gone(session: str) -> None:
    assert not is_gone(session, 2**22 - 1)
