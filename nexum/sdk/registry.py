"""Which versions this process has the code of: found in modules, looked up by version."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from nexum.compiler.declared import Place
from nexum.compiler.diagnostics import finding
from nexum.compiler.sources import line_span
from nexum.errors import BuildError, Diagnostic, NexumError
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.fluent import Fluent
from nexum.sdk.workflow import Workflow

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Registry:
    """Compiled workflows by version; one version of each workflow, the one that the code on disk says."""

    def __init__(self, workflows: Iterable[CompiledWorkflow[Any]] = ()) -> None:
        self._by_version: dict[str, CompiledWorkflow[Any]] = {}
        self._by_name: dict[str, CompiledWorkflow[Any]] = {}
        for workflow in workflows:
            self.add(workflow)

    def add(self, workflow: CompiledWorkflow[Any]) -> None:
        """Add a version; the same one twice is one. Raises `NexumError` NX-B129 for two workflows of one name."""
        known = self._by_name.get(workflow.name)
        if known is not None and known.version != workflow.version:
            message = f"there are two workflows named {workflow.name}: {known.version[:15]} and {workflow.version[:15]}"
            raise NexumError(message, code="NX-B129")
        self._by_name[workflow.name] = workflow
        self._by_version[workflow.version] = workflow

    def get(self, version: str) -> CompiledWorkflow[Any] | None:
        """The workflow with this version, if its code is here."""
        return self._by_version.get(version)

    def named(self, name: str) -> CompiledWorkflow[Any] | None:
        """The workflow with this name, if its code is here."""
        return self._by_name.get(name)

    def __getitem__(self, version: str) -> CompiledWorkflow[Any]:
        return self._by_version[version]

    def __contains__(self, version: object) -> bool:
        return version in self._by_version

    def __iter__(self) -> Iterator[CompiledWorkflow[Any]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_version)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of all versions here."""
        return tuple(workflow.graph.queue for workflow in self)


def discover(modules: Iterable[str]) -> Registry:
    """Import modules and collect the workflows at their top level, built or not.

    Raises `BuildError` with the findings of all modules: NX-B126 for one that cannot be imported, with the frames of the
    user's code, and those of every workflow that cannot be built. Raises `NexumError` NX-B129 for two of one name.
    """
    found: list[CompiledWorkflow[Any]] = []
    problems: list[Diagnostic] = []
    failed: list[str] = []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except BuildError as error:
            failed.append(error.workflow)
            problems.extend(error.diagnostics)
        except Exception as error:  # noqa: BLE001 (a module of the user's may raise anything; all of it is reported)
            failed.append(name)
            problems.append(_not_imported(name, error))
        else:
            for workflow in _workflows(module):
                try:
                    found.append(_built(workflow))
                except BuildError as error:
                    failed.append(error.workflow)
                    problems.extend(error.diagnostics)
    if problems:
        raise BuildError(", ".join(failed), tuple(problems))
    return Registry(found)


def _workflows(module: ModuleType) -> Iterator[Workflow[Any] | Fluent[Any] | CompiledWorkflow[Any]]:
    """The workflows of a module; a builder whose built form stands beside it is left out."""
    values = list(vars(module).values())
    built = {value.name for value in values if isinstance(value, CompiledWorkflow)}
    for value in values:
        if isinstance(value, CompiledWorkflow) or (isinstance(value, Workflow | Fluent) and value.name not in built):
            yield value


def _built(workflow: Workflow[Any] | Fluent[Any] | CompiledWorkflow[Any]) -> CompiledWorkflow[Any]:
    return workflow if isinstance(workflow, CompiledWorkflow) else workflow.build()


def _not_imported(name: str, error: Exception) -> Diagnostic:
    """What went wrong, at the innermost line of the user's own code, with the way that led there."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    message = f"module `{name}` cannot be imported: {type(error).__name__}: {error}"
    steps = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    why = f"it was reached through {', then '.join(steps)}" if steps else ""
    if isinstance(error, SyntaxError) and error.filename:
        return finding("NX-B126", message, line_span(Place(error.filename, error.lineno or 0)), why=why)
    if not frames:
        fixes = (f"is `{name}` on the import path? It has: {', '.join(sys.path[:3])}",)
        return finding("NX-B126", message, line_span(Place("", 0)), fixes=fixes)
    return finding("NX-B126", message, line_span(Place(frames[-1].filename, frames[-1].lineno or 0)), why=why)


def _is_users(file: str) -> bool:
    """Whether a frame is the user's: not ours, not the import system, not an installed package."""
    ours = os.path.abspath(file).startswith(_OURS + os.sep)
    return not (ours or file.startswith("<frozen") or "site-packages" in file or file == importlib.__file__)
