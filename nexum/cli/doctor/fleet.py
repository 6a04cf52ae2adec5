"""Versions, workers, schedulers, and runs that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator

from nexum.cli.doctor.finding import WARN, Finding, from_error, ok, trouble
from nexum.cli.project import Project
from nexum.compiler.diagnostics import counted
from nexum.core.ids import short
from nexum.errors import BuildError, NexumError
from nexum.readouts.situation import Crew
from nexum.readouts.versions import read_versions
from nexum.store import reading
from nexum.store.reading import Asked, RunQuery

_FOR_A_PERSON = {"in_doubt": ("effects", "NX-E201"), "needs_attention": ("suspended", "NX-R406")}


def code(project: Project) -> Iterator[Finding]:
    """Whether the code compiles, and whether it is what is deployed."""
    if not project.modules:
        yield ok("workflows", "no module of workflows is named here")
        return
    try:
        registry = project.registry()
    except BuildError as error:
        yield trouble("workflows", f"{error.workflow} cannot be compiled", error.code, mend="nexum build")
        return
    except NexumError as error:
        yield from_error("workflows", error)
        return
    for workflow in sorted(registry, key=lambda workflow: workflow.name):
        default = project.connection.store.default_version(workflow.name)
        name = f"{workflow.name}@{short(workflow.version)}"
        if default is None:
            yield trouble("workflows", f"{name} is not deployed", "NX-D201", level=WARN)
        elif default.version != workflow.version:
            said = f"this code builds {name}, new runs get {short(default.version)}"
            yield trouble("workflows", said, "NX-D201", level=WARN, mend="nexum deploy")
        else:
            yield ok("workflows", f"{name} is what new runs get")


def workers(project: Project) -> Iterator[Finding]:
    """Whether somebody serves every version that needs it."""
    for line in read_versions(project.any_store).versions:
        name = f"{line.workflow}@{line.short}"
        if line.workers:
            yield ok("workers", f"{name}: {line.workers} live")
        elif line.active:
            said = f"{name} has {counted(line.active, 'run')} in flight and no live worker"
            yield trouble(
                "workers", said, "NX-W203", mend=f"nexum worker --workflow {line.workflow} --version {line.short}"
            )
        elif line.state == "default":
            yield trouble("workers", f"{name} has no live worker", "NX-D207", level=WARN)


def scheduler(project: Project) -> Iterator[Finding]:
    """Whether somebody fires timers and takes up what was lost."""
    store = project.any_store
    crew = Crew(store.sessions(), store.now())
    live = [row for row in store.sessions() if row.kind == "scheduler" and crew.silence(row.session) == 0]
    if live:
        yield ok("scheduler", ", ".join(f"pid {row.pid} on {row.host}" for row in live))
    else:
        yield trouble("scheduler", "none is alive", "NX-F130")


def waiting(project: Project) -> Iterator[Finding]:
    """Runs that only a person can help."""
    store = project.any_store
    for standing, (check, problem) in _FOR_A_PERSON.items():
        count = reading.count_runs(store, RunQuery((Asked("standing", standing),)))
        if count:
            said = f"{counted(count, 'run')} {standing.replace('_', ' ')}"
            yield trouble(check, said, problem, level=WARN, mend=f"nexum list standing:{standing}")
