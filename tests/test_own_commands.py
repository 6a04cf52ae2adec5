"""The repository's own modules as commands: what is not understood ends with 64 and a sentence, and no verdict is vacuous."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import benchmarks.__main__ as bench
import examples.flower.__main__ as flower
from examples.refund_agent import demo
from nexum.testing import api_fuzz
from nexum.testing.crash import __main__ as crash
from nexum.testing.crash import monkey as monkeys
from nexum.testing.crash.judge import Verdict
from nexum.testing.crash.monkey import WEIGHTS, Monkey
from nexum.testing.fakes import fakellm, fakepay


def spoken(command: Callable[[], object], monkeypatch: pytest.MonkeyPatch, words: Sequence[str]) -> int | str | None:
    """The exit code of a command that reads `sys.argv`."""
    monkeypatch.setattr(sys, "argv", ["command", *words])
    with pytest.raises(SystemExit) as left:
        command()
    return left.value.code


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (crash.main, ("x", "1"), "'x' is no whole number from 1 on"),
        (crash.main, ("0", "1"), "'0' is no whole number from 1 on"),
        (crash.main, ("1", "-1"), "-1"),
        (crash.main, ("1",), "required: kills"),
        (crash.main, ("1", "1", "--scenario", "luck"), "invalid choice: 'luck'"),
        (lambda: api_fuzz.examples_of(), ("abc",), "'abc' is no whole number from 1 on"),
        (lambda: api_fuzz.examples_of(), ("0",), "'0' is no whole number from 1 on"),
        (demo.main, ("--repeat", "abc"), "'abc' is no whole number from 1 on"),
        (flower.main, ("--port", "x"), "invalid int value: 'x'"),
        (bench.main, ("W9",), "unknown: W9"),
        (fakepay.main, (), "required: --ledger"),
        (fakellm.main, ("--port", "x"), "invalid int value: 'x'"),
    ],
)
def test_words_that_are_not_understood_end_with_64_and_a_sentence(
    command: Callable[[], object],
    words: Sequence[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert spoken(command, monkeypatch, words) == 64
    told = capsys.readouterr().err
    assert said in told
    assert "--help says what it takes" in told


@pytest.mark.parametrize("repeat", ["abc", "0"])
def test_a_wrong_repeat_in_the_environment_is_one_of_them(repeat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPEAT", repeat)

    assert spoken(demo.main, monkeypatch, ()) == 64


def test_a_crash_suite_without_runs_has_shown_nothing() -> None:
    nothing = dict.fromkeys(("terminal", "held_effects", "duplicate_effects", "lost_effects"), 0)

    assert not Verdict(runs=0, unknown_effects=0, failed_runs=0, **nothing).is_clean


@dataclass
class Victim:
    """A process that is dead for the first `absent` kills."""

    absent: int
    asked: int = 0

    def kill(self) -> bool:
        """Whether it was alive."""
        self.asked += 1
        return self.asked > self.absent


@dataclass
class Stand:
    """A world and its store, as far as a monkey sees them."""

    absent: int
    processes: dict[str, Victim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processes = {name: Victim(self.absent) for name in WEIGHTS}

    def sessions(self) -> list[Any]:
        """Nobody serves."""
        return []


@pytest.mark.parametrize(("absent", "done"), [(0, 3), (1, 3), (10**6, 0)])
def test_only_a_kill_of_a_living_process_counts(
    absent: int, done: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(monkeys, "BOOT_SECONDS", 0.05)
    monkeypatch.setattr(Monkey, "_booted", lambda self: [])  # so that the worker itself is killed
    monkeypatch.setattr(monkeys, "LOOK_SECONDS", 0.001)
    stand: Any = Stand(absent)
    attack = Monkey(stand, stand, seed=1, wanted=3, pause=0.0)

    attack.rampage()

    assert attack.done == done
