"""Build and register in a fresh process: the only way to see today's code, and the only harm it can do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexum.core.ids import queue_name
from nexum.errors import Diagnostic

TIMEOUT = 120.0  # seconds; a build imports your code, which may do anything


@dataclass(frozen=True, slots=True)
class Built:
    """What a build gave: versions by workflow, or the findings that stand against it (text for people)."""

    versions: Mapping[str, str]
    findings: str = ""
    code: int = 0

    @property
    def queues(self) -> frozenset[str]:
        """The queues of these versions."""
        return frozenset(queue_name(workflow, version) for workflow, version in self.versions.items())


def build_and_register(env: Mapping[str, str]) -> Built:
    """Run `nexum deploy --approve-parallel` in a process of its own."""
    argv = [sys.executable, "-m", "nexum", "deploy", "--approve-parallel", "--json"]
    try:
        done = subprocess.run(  # noqa: S603 (our own module, our own words)
            argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Built({}, f"the build did not end within {TIMEOUT:.0f} s", 75)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return Built({}, done.stderr.strip() or f"the build ended with {done.returncode}", done.returncode or 70)
    if done.returncode:
        return Built({}, _text(answer["diagnostics"]), done.returncode)
    return Built({row["workflow_id"]: row["target_version"] for row in answer["plan"]})


def _text(findings: list[dict[str, Any]]) -> str:
    """Findings from a JSON answer as a person reads them."""
    from nexum.compiler.diagnostics import render_all

    names = set(Diagnostic.__slots__)
    return render_all(
        Diagnostic(
            **{key: value for key, value in found.items() if key in names and key != "fixes"},
            fixes=tuple(fix["text"] for fix in found.get("fixes", ())),
        )
        for found in findings
    )
