"""A crash point kills exactly when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexum import crash
from nexum.errors import ConfigurationError, UnavailableError

ROOT = Path(__file__).parent.parent


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
    assert _run("effect.after_guard", "crash('effect.after_guard', run_key='a')") == -signal.SIGKILL


def test_an_unarmed_point_does_nothing() -> None:
    assert _run("effect.after_guard", "crash('effect.after_record_commit')") == 0
    assert _run("", "crash('effect.after_guard')") == 0


def test_a_point_kills_only_what_matches() -> None:
    armed = "effect.after_guard:run_key=b,attempt=2"
    assert _run(armed, "crash('effect.after_guard', run_key='a', attempt=2)") == 0
    assert _run(armed, "crash('effect.after_guard', run_key='b', attempt=2)") == -signal.SIGKILL


def test_the_marker_file_counts_over_all_processes(tmp_path: Path) -> None:
    armed = f"effect.after_guard:limit=2,file={tmp_path / 'marker'}"
    codes = [_run(armed, "crash('effect.after_guard', node='paid', attempt=2)") for _ in range(3)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert json.loads((tmp_path / "marker.1").read_text()) == {"node": "paid", "attempt": 2}


def test_nth_lets_the_first_hits_pass() -> None:
    assert _run("claim.after_commit:nth=3", "crash('claim.after_commit'); crash('claim.after_commit')") == 0
    assert _run("claim.after_commit:nth=3", "[crash('claim.after_commit') for _ in range(3)]") == -signal.SIGKILL


def test_a_point_can_stop_its_process_instead_of_killing_it() -> None:
    script = "from nexum.crash import crash; crash('claim.before'); print('went on')"
    armed = {**os.environ, "NEXUM_CRASH": "claim.before:mode=stop"}
    process = subprocess.Popen([sys.executable, "-c", script], env=armed, stdout=subprocess.PIPE)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=30)[0] == b"went on\n"


def test_a_point_can_raise_what_a_commit_without_an_answer_raises() -> None:
    crash.arm("step.after_commit:mode=raise")
    with pytest.raises(UnavailableError) as caught:
        crash.crash("step.after_commit")
    assert caught.value.code == "NX-S102"
    crash.crash("step.after_commit")  # once is the default


def test_every_point_of_the_list_is_called_in_the_code_and_no_other() -> None:
    called = re.compile(r"\bcrash\(\s*[\"\']([a-z_.]+)[\"\']")
    found = set()
    for room in ("nexum", "workers", "orchestrator", "dashboard", "migrations"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name != "crash.py":
                found |= set(called.findall(path.read_text()))
    assert found == crash.POINTS


@pytest.mark.parametrize("text", ["effect.nowhere", "effect.after_guard:limit=often", "claim.before:mode=annoy"])
def test_a_misspelt_point_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        crash.arm(text)
    assert caught.value.code == "NX-W230"
