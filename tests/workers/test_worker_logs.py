"""A worker's log says how each attempt ended, and every such line names the attempt that it is about."""

from __future__ import annotations

from typing import Any

from fleet import Fleet
from waiting import until

SOON = 30.0


def _about(line: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in names)


def test_each_end_of_an_attempt_is_a_line_that_names_run_node_attempt_and_effect(fleet: Fleet) -> None:
    fleet.worker(processes=1, env={"LOGS_IN_FULL": "yes"})
    failing, acting = fleet.start("Hazards", "x", how="exit"), fleet.start("Chain", "c", key="order-1")
    until(lambda: {fleet.status(failing), fleet.status(acting)} == {"COMPLETED"}, SOON)

    (failed,) = (line for line in fleet.lines() if line["level"] == "warning" and line.get("run") == failing)
    named = _about(failed, "workflow", "node", "visit", "attempt", "code", "kind")
    assert named == ("Hazards", "hazard", 1, 1, "NX-R200", "SystemExit")
    assert failed["version"].startswith("sha256:")

    ended = [line for line in fleet.lines() if line["level"] == "debug" and line.get("run") == acting]
    assert [line["node"] for line in ended] == ["first", "second", "third"]
    ((_, _, _, _, key),) = fleet.acts("third")
    assert _about(ended[-1], "run_key", "effect", "key", "attempt") == ("order-1", "post", key.strip(), 1)


def test_the_line_about_a_stuck_attempt_names_it(fleet: Fleet) -> None:
    fleet.worker(processes=1, env={"LOGS_IN_FULL": "yes"})
    run = fleet.start("Stuck", "n")
    with fleet.sweeping():
        until(lambda: fleet.status(run) == "COMPLETED", SOON)

    (line,) = (line for line in fleet.lines() if line.get("code") == "NX-W211")
    assert _about(line, "run", "workflow", "node", "visit", "attempt") == (run, "Stuck", "never", 1, 1)
