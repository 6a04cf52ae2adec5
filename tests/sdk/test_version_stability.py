"""One workflow has one version, however it is laid out and whoever computes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

AGENT = """\
from __future__ import annotations
from pydantic import BaseModel
from nexum import Prompt, Workflow

LIMIT = 80

class Claim(BaseModel):
    order_id: str
    text: str

class Verdict(BaseModel):
    score: int

def sure(score: int) -> bool:
    return score >= LIMIT

agent = Workflow("Agent", input=Claim)

@agent.llm(model="m", settings={"b": 1, "a": 0.5})
def verdict(claim: Claim) -> Prompt[Verdict]:
    return Prompt(claim.text)

@agent.effect(tool="bank", key=agent.input.order_id, when=(verdict.out.score >= LIMIT) & (agent.input.text != ""))
def refund(claim: Claim, verdict: Verdict) -> bool:
    return sure(verdict.score)

built = agent.build()
"""

SAME = {
    "comments": ("LIMIT = 80", "# the limit\n\n\nLIMIT = 80  # points"),
    "docstring": ("    return score >= LIMIT", '    """Sure?"""\n    return score >= LIMIT'),
    "layout": (
        "def sure(score: int) -> bool:\n    return score >= LIMIT",
        "def sure(\n    score: int,\n) -> bool:\n    return (\n        score\n        >= LIMIT\n    )",
    ),
    "quotes": ('tool="bank"', "tool='bank'"),
    "text condition": (
        '(verdict.out.score >= LIMIT) & (agent.input.text != "")',
        "\"verdict.score>=80 && (input.text != '')\"",
    ),
    "order of options": ('{"b": 1, "a": 0.5}', '{"a": 0.5, "b": 1}'),
    "defaults": ('model="m"', 'model="m", repair=2, fallback=(), priority=0'),
    "helper's annotation": ("def sure(score: int)", "def sure(score: float)"),
    "label": ("input=Claim)", 'input=Claim, label="v2")'),
}

OTHER = {
    "constant": ("LIMIT = 80", "LIMIT = 81"),
    "helper": ("score >= LIMIT\n\nagent", "score > LIMIT\n\nagent"),
    "condition": ('text != ""', 'text != "x"'),
    "field": ("    score: int\n", "    score: int\n    reason: str = ''\n"),
    "model": ('model="m"', 'model="n"'),
    "name": ('Workflow("Agent"', 'Workflow("Agent2"'),
    "whole float": ('"b": 1', '"b": 1.0'),
}


EVERYWHERE = "sha256:1143597909db75207e27c304eee53876154cf62d4bec380274148ed088b8eeee"


def version(folder: Path, text: str, seed: str = "0") -> str:
    """The version that a fresh process computes."""
    folder.mkdir()
    (folder / "agents.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "import agents; print(agents.built.version)"],
        env={"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> str:
    return version(tmp_path_factory.mktemp("original") / "a", AGENT)


def test_two_processes_agree(original: str, tmp_path: Path) -> None:
    assert original.startswith("sha256:")
    assert version(tmp_path / "elsewhere", AGENT, seed="4711") == original


def test_every_python_computes_the_same_version(original: str) -> None:
    # Runs in flight keep their version when the workers' Python is upgraded, so this changes with the text alone.
    assert original == EVERYWHERE


@pytest.mark.parametrize("change", list(SAME))
def test_what_means_the_same_is_the_same_version(change: str, original: str, tmp_path: Path) -> None:
    old, new = SAME[change]
    assert old in AGENT

    assert version(tmp_path / "a", AGENT.replace(old, new, 1)) == original


@pytest.mark.parametrize("change", list(OTHER))
def test_what_means_something_else_is_another_version(change: str, original: str, tmp_path: Path) -> None:
    old, new = OTHER[change]
    assert old in AGENT

    assert version(tmp_path / "a", AGENT.replace(old, new, 1)) != original
