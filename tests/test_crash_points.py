"""A crash point kills exactly when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexum import crash
from nexum.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    crash.arm("")


def _run(armed: str, code: str) -> int:
    script = f"from nexum.crash import crash\n{code}\nprint('survived')"
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "NEXUM_CRASH": armed}, check=False
    ).returncode


def test_an_armed_point_kills_its_process_without_a_word() -> None:
    assert _run("effect.before_send", "crash('effect.before_send', run_key='a')") == -signal.SIGKILL


def test_an_unarmed_point_does_nothing() -> None:
    assert _run("effect.before_send", "crash('effect.after_record')") == 0
    assert _run("", "crash('effect.before_send')") == 0


def test_a_point_kills_only_what_matches() -> None:
    armed = "effect.before_send:run_key=b,attempt=2"
    assert _run(armed, "crash('effect.before_send', run_key='a', attempt=2)") == 0
    assert _run(armed, "crash('effect.before_send', run_key='b', attempt=2)") == -signal.SIGKILL


def test_the_marker_file_counts_over_all_processes(tmp_path: Path) -> None:
    armed = f"effect.before_send:limit=2,file={tmp_path / 'marker'}"
    codes = [_run(armed, "crash('effect.before_send')") for _ in range(3)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]


def test_nth_lets_the_first_hits_pass() -> None:
    assert _run("claim.after_commit:nth=3", "crash('claim.after_commit'); crash('claim.after_commit')") == 0
    assert _run("claim.after_commit:nth=3", "[crash('claim.after_commit') for _ in range(3)]") == -signal.SIGKILL


@pytest.mark.parametrize("text", ["effect.nowhere", "effect.before_send:limit=often"])
def test_a_misspelt_point_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        crash.arm(text)
    assert caught.value.code == "NX-W230"
