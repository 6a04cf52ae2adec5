"""What a worker refuses, what it waits for, and how it notices that nobody needs or hears it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from errands import REGISTRY
from fleet import Fleet
from nexum.broker.lengths import QueueLengths
from nexum.errors import ConfigurationError, UnavailableError
from nexum.patience import patiently
from nexum.sdk.registry import Registry
from nexum.sdk.workflow import Workflow
from nexum.settings import Settings
from nexum.testing.services import free_port
from nexum_workers.board import Board, Phase
from nexum_workers.child import STUCK
from nexum_workers.orders import DEAF_SECONDS, Deaf, Ending
from nexum_workers.run import run_worker
from nexum_workers.tending import LOST
from waiting import until

SOON = 20


def _refusal(settings: Settings, registry: Registry, **options: object) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        run_worker(settings, registry, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_worker_without_workflows_or_with_a_misspelt_one_is_refused(fleet: Fleet) -> None:
    settings = Settings(database=fleet.url, broker="none")
    assert _refusal(settings, Registry()).code == "NX-W202"
    misspelt = _refusal(settings, REGISTRY, workflows=["Chian"])
    assert misspelt.code == "NX-W202"
    assert "Chian" in misspelt.message
    assert "Chain" in misspelt.message
    assert _refusal(settings, REGISTRY, workflows=["Chain"], version="0000").code == "NX-W202"


def test_a_worker_never_registers_and_says_what_differs(fleet: Fleet) -> None:
    changed = Workflow("Chain", input=int)

    @changed.compute()
    def first(input: int) -> int:  # noqa: A002
        return input

    refused = _refusal(Settings(database=fleet.url, broker="none"), Registry([changed.build()]))
    assert refused.code == "NX-W201"
    assert "they differ in first, second, third" in refused.message
    assert len(fleet.store.versions("Chain")) == 1


def test_a_worker_that_starts_before_its_database_says_what_it_waits_for(tmp_path: Path) -> None:
    fleet = Fleet.__new__(Fleet)  # only its process starter: there is no database
    port = free_port()
    url = f"postgresql://postgres@127.0.0.1:{port}/nexum"
    fleet.url, fleet.broker, fleet.folder, fleet.processes = url, "", tmp_path, []
    fleet.log = tmp_path / "acts.log"
    process = fleet.worker()
    until(lambda: "waiting for the database" in fleet.output(), SOON)
    assert process.poll() is None
    process.terminate()
    process.wait(10)


def test_waiting_says_it_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    answers: list[object] = [UnavailableError("refused"), UnavailableError("refused"), "here"]

    def act() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(act, "the database") == "here"
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "waiting for the database",
        "the database answers",
    ]


def test_waiting_ends_when_told_to() -> None:
    def act() -> None:
        raise UnavailableError("refused")

    with pytest.raises(UnavailableError):
        patiently(act, "the database", lambda: True)


def test_a_child_whose_session_was_declared_dead_is_replaced(fleet: Fleet) -> None:
    fleet.worker(processes=1)
    (before,) = until(fleet.sessions, SOON)
    fleet.store.end_session(before.session, proof="a sweeper was wrong")
    (after,) = until(lambda: [row for row in fleet.sessions() if row.session != before.session], SOON)
    assert after.pid != before.pid
    assert "NX-W210" in fleet.output()
    run = fleet.start("Chain", "e")
    until(lambda: fleet.status(run) == "COMPLETED", SOON)
    assert LOST.name == "SIGUSR2"


class FakeLengths:
    def __init__(self, waiting: int) -> None:
        self.waiting = waiting

    def read(self, queues: object) -> dict[str, int]:
        if self.waiting < 0:
            raise UnavailableError("refused", code="NX-Q205")
        return {"q": self.waiting}


@pytest.mark.parametrize(
    ("waiting", "active", "hears", "ends"),
    [(3, 1, False, True), (0, 1, False, False), (3, 2, False, False), (3, 1, True, False), (-1, 0, False, False)],
)
def test_a_worker_that_hears_nothing_although_messages_wait_ends_itself(
    waiting: int, active: int, hears: bool, ends: bool
) -> None:
    codes: list[int] = []
    seconds, heard = [0.0], [0]
    lengths: QueueLengths = FakeLengths(waiting)  # type: ignore[assignment]
    deaf = Deaf(
        lengths,
        ["q"],
        2,
        received=lambda: heard[0],
        active=lambda: active,
        end=codes.append,
        clock=lambda: seconds[0],
    )
    while seconds[0] < DEAF_SECONDS + 15 and not codes:
        deaf()
        seconds[0] += 1
        heard[0] += hears
    assert codes == ([STUCK] if ends else [])


def test_a_drain_that_lasts_too_long_becomes_an_end() -> None:
    board = Board()
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    ending = Ending(board, lambda: {process.pid: "s"}, 0)
    board.raise_to(Phase.DRAIN)
    until(lambda: ending() or board.phase is Phase.NOW, 10)
    until(lambda: ending() or process.poll() is not None, 10)
    assert process.returncode == -9


def test_nothing_of_django_is_touched_where_there_is_none() -> None:
    code = "from nexum_workers import django; print(django.is_in_use(), django.around_handlers().__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="workers")
    assert found.stdout.split() == ["False", "nullcontext"]
