"""The simulator itself: it repeats itself, it plays what it says, and what it once found stays found."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nexum.client
import nexum.engine
from nexum.testing.sim.__main__ import main
from nexum.testing.sim.clocks import TIMED
from nexum.testing.sim.invariants import ELSEWHERE, INVARIANTS
from nexum.testing.sim.mutants.hunting import MUTANTS, hunt
from nexum.testing.sim.mutants.races import ELSEWHERE as RACES_ELSEWHERE
from nexum.testing.sim.mutants.swapping import Mutant
from nexum.testing.sim.report import kept_seeds, told
from nexum.testing.sim.world import play

KEPT = Path(__file__).parent / "seeds.json"
PLAYED = 50


def test_fifty_seeds_hold_every_invariant() -> None:
    worlds = [play(seed) for seed in range(PLAYED)]

    assert [told(world, steps=60) for world in worlds if world.violations] == []
    assert sum(world.acts for world in worlds) > PLAYED
    assert len({name for world in worlds for name in world.faults}) > 15


@pytest.mark.parametrize("seed", kept_seeds(KEPT))
def test_a_seed_that_once_failed_holds(seed: int) -> None:
    world = play(seed)

    assert world.violations == (), told(world, steps=60)


def test_the_same_seed_plays_the_same_history() -> None:
    first, second = play(7), play(7)

    assert first.steps > 100
    assert (first.digest, first.steps, first.virtual) == (second.digest, second.steps, second.virtual)


@pytest.mark.parametrize("salt", ["0", "1"])
def test_a_history_does_not_hang_on_the_process_that_plays_it(salt: str) -> None:
    code = "from nexum.testing.sim.world import play; print([play(seed).digest for seed in range(5)])"
    said = subprocess.check_output(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(sys.path)}
    )

    assert json.loads(said) == [play(seed).digest for seed in range(5)]


def test_every_module_that_looks_at_a_clock_gets_the_worlds() -> None:
    looks = {"time", "os", "secrets", "random", "uuid"}
    found: dict[str, set[str]] = {}
    rooms = [Path(nexum.engine.__path__[0]), Path(nexum.client.__path__[0])]
    for path in (path for room in rooms for path in sorted(room.glob("*.py"))):
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        if names & looks:
            found[f"nexum.{path.parent.name}.{path.stem}"] = names & looks
    played = {name: looked for name, looked in found.items() if name not in NOT_PLAYED}

    assert played == {
        module.__name__: set(names) for module, names in TIMED.items() if module.__name__.startswith("nexum.")
    }


NOT_PLAYED = {"nexum.client.connect", "nexum.client.runs"}  # connections and waiting: nobody here uses them


def test_a_report_says_what_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "sim.json"

    assert main(["--seeds", "3", "--json", str(path)]) == 0

    report = json.loads(path.read_text("utf-8"))
    assert (report["seeds"], report["violations"], report["first_failing_seed"]) == (3, 0, None)
    assert set(report["by_invariant"]) == set(INVARIANTS)
    assert report["steps"] > 100
    assert not set(ELSEWHERE) & set(INVARIANTS)


def test_a_report_does_not_tell_in_how_many_processes_the_seeds_were_played(tmp_path: Path) -> None:
    reports = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        assert main(["--seeds", "30", "--jobs", jobs, "--json", str(path)]) == 0
        report = json.loads(path.read_text("utf-8"))
        reports.append({name: value for name, value in report.items() if name not in ("seconds", "seeds_per_minute")})

    assert reports[0] == reports[1]
    assert reports[0]["seeds"] == 30


def named(race: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.race == race)


@pytest.mark.parametrize("race", ["R3", "R8", "R16", "R27", "R46", "R55"])
def test_a_race_that_is_brought_back_is_noticed(race: str) -> None:
    found = hunt(named(race), 200)

    assert found.caught, found


def test_the_product_is_whole_again_after_a_mutant() -> None:
    hunt(named("R16"), 1)

    assert play(0).violations == ()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.race} {mutant.without}")
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    with mutant.applied([0]):
        play(0)


def test_every_race_has_a_mutant_or_a_reason() -> None:
    races = {f"R{number}" for number in range(1, 57)}

    assert {mutant.race for mutant in MUTANTS if mutant.race[0] == "R"} | set(RACES_ELSEWHERE) == races
    assert {mutant.race for mutant in MUTANTS if mutant.race[0] != "R"} <= set(INVARIANTS)
    assert not {mutant.race for mutant in MUTANTS} & set(RACES_ELSEWHERE)
