"""The supervisor of the demo kills what is left of a worker at its crash point, and starts another."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.refund_agent.cases import cases
from examples.refund_agent.killing import Victim, armed
from waiting import until

# a worker of two processes; the child reaches the crash point of the first claim, and lives on if it is not killed there
WORKER = """
import os, signal, sys, pathlib
from nexum.crash import crash
folder = pathlib.Path(sys.argv[1])
if os.fork() == 0:
    crash("effect.after_response", node="refund", run_key="01-eligible")
    (folder / f"child-{os.getppid()}").touch()
signal.pause()
"""


def test_each_refund_has_one_death_and_two_claims_for_one_order_share_it(tmp_path: Path) -> None:
    points, names = armed(tmp_path, cases(), model_case="02-not-eligible")

    assert names == (*(f"refund-{order}" for order in (1042, 1045, 1047, 1049, 1050, 1051)), "model")
    assert points.count("effect.after_response") == 7
    assert points.count(f"file={tmp_path}/refund-1042") == 2


def test_a_worker_is_killed_once_at_its_point_and_its_successor_lives(tmp_path: Path) -> None:
    points, _ = armed(tmp_path, cases(), model_case="02-not-eligible")
    command = (sys.executable, "-c", WORKER, str(tmp_path))

    with Victim(command, {}, tmp_path, points) as worker:
        until(lambda: list(tmp_path.glob("child-*")), 20)
        assert [kill.name for kill in worker.kills] == ["refund-1042"]
        assert (tmp_path / "refund-1042.1").exists()
