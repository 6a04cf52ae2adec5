"""A worker that registers what it was built from: what the database knows and what is in memory are one import.

Were the build a process of its own, a file could change between the two, and the version that new runs get would have no
code anywhere. Only `nexum dev` works like this; a worker elsewhere never registers a version.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nexum.core.ids import queue_name
from nexum.errors import Diagnostic

BEGINNING = '{"versions"'  # of the one line that says what was built
SAME = 0  # exit code of a bench that found nothing new
TIMEOUT = 120.0  # seconds; a build imports your code, which may do anything


@dataclass(frozen=True, slots=True)
class Built:
    """What a build gave: versions by workflow, or the findings that stand against it (text for people)."""

    versions: Mapping[str, str]
    findings: str = ""

    @property
    def queues(self) -> frozenset[str]:
        """The queues of these versions."""
        return frozenset(queue_name(workflow, version) for workflow, version in self.versions.items())


def serve(known: Sequence[str]) -> int:
    """In the child: build, register, say so, and serve; nothing to serve when exactly `known` versions came out."""
    from nexum.cli.commands.deploy import register
    from nexum.cli.project import open_project
    from nexum.cli.verb import Choices
    from nexum.logs import configure
    from nexum_workers.run import run_worker

    configure(logging.WARNING, as_json=False)
    project = open_project(Choices())
    registry = project.registry()
    versions = {workflow.name: workflow.version for workflow in sorted(registry, key=lambda each: each.name)}
    if known and set(versions.values()) == set(known):
        _say(versions)
        return SAME
    store = project.store
    for workflow in registry:
        register(store, workflow)
    project.connection.close()
    _say(versions)
    return run_worker(project.settings, registry, processes=1, database_url=project.url)


def _say(versions: Mapping[str, str]) -> None:
    """One line for the parent; what handlers print from here on goes where the log goes."""
    sys.stdout.write(json.dumps({"versions": versions}) + "\n")
    sys.stdout.flush()
    os.dup2(2, 1)


def read(said: str) -> Built:
    """In the parent: what a bench has said."""
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        return Built({}, said.strip() or f"the build said nothing within {TIMEOUT:.0f} s")
    return Built(answer["versions"]) if "versions" in answer else Built({}, _text(answer["diagnostics"]))


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
