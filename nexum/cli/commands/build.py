"""`nexum build`: compile, check, show the versions, keep the graphs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.complaints import explained
from nexum.cli.exits import Exit
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.compiler.diagnostics import counted
from nexum.core.ids import bare, short
from nexum.errors import BuildError, Diagnostic, NexumError

if TYPE_CHECKING:
    from nexum.sdk.compiled import CompiledWorkflow

FOLDER = Path(".nexum/build")
_COUNTED = (("effect", "effect"), ("transaction", "transaction"), ("llm", "llm call"))


@verb("build", short_help="Compile the workflows, check them, show their versions.")
@click.option("--workflow", "-w", "names", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--check", is_flag=True, help="Only say `OK`, or what does not compile; write nothing.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, help="Where graphs are written."
)
@click.pass_obj
def command(choices: Choices, names: tuple[str, ...], check: bool, out: Path) -> int:
    """Compile the workflows of this code to graphs, report every finding, and show the versions.

    Exit code 0, or 65 when something cannot be compiled. `--check` is for CI; it does not compare with deployed versions,
    which `nexum deploy --dry-run` does.
    """
    began = time.monotonic()
    try:
        found = chosen(open_project(choices).registry(), names)
    except BuildError as error:
        return _failed(choices, error)
    rows = [_row(workflow, "" if check else str(_written(workflow, out))) for workflow in found]
    warnings = [warning for workflow in found for warning in workflow.warnings]
    if choices.json:
        print_json(envelope("nexum.build/1", Exit.DONE, diagnostics=warnings, workflows=rows))
        return Exit.DONE
    paper = Paper(choices)
    if check:
        _warn(paper, warnings)
        paper.line(f"OK: {counted(len(found), 'workflow')} compiled, nothing written")
        return Exit.DONE
    paper.table(("WORKFLOW", "VERSION", "NODES", "OF WHICH"), [_drawn(workflow) for workflow in found])
    _warn(paper, warnings)
    paper.hint(f"{counted(len(found), 'workflow')} in {time.monotonic() - began:.1f} s.   next: nexum deploy")
    return Exit.DONE


def chosen(registry: Any, names: Sequence[str]) -> list[CompiledWorkflow[Any]]:
    """The workflows that were named, in that order; all without names. Raises `NexumError` NX-D205."""
    if not names:
        return sorted(registry, key=lambda workflow: str(workflow.name))
    known = {workflow.name: workflow for workflow in registry}
    for name in names:
        if name not in known:
            raise NexumError(f"this code has no workflow {name!r}; it has {', '.join(sorted(known))}", code="NX-D205")
    return [known[name] for name in names]


def parts_of(workflow: CompiledWorkflow[Any]) -> str:
    """`2 effects, 1 llm call`."""
    kinds = [node.kind for node in workflow.graph.nodes]
    return ", ".join(counted(kinds.count(kind), noun) for kind, noun in _COUNTED if kind in kinds)


def _row(workflow: CompiledWorkflow[Any], artifact: str) -> dict[str, Any]:
    kinds = [node.kind for node in workflow.graph.nodes]
    return {
        "workflow_id": workflow.name,
        "version": workflow.version,
        "label": workflow.label,
        "ir_format": workflow.graph.ir_version,
        "nodes": len(kinds),
        "effects": kinds.count("effect"),
        "llm_nodes": kinds.count("llm"),
        "queue": workflow.graph.queue,
        "input": workflow.graph.input,
        "artifact": artifact or None,
    }


def _drawn(workflow: CompiledWorkflow[Any]) -> tuple[str, ...]:
    return (workflow.name, short(workflow.version), str(len(workflow.graph.nodes)), parts_of(workflow))


def _written(workflow: CompiledWorkflow[Any], folder: Path) -> Path:
    path = folder / f"{workflow.name}.{bare(workflow.version)[:12]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(workflow.graph.data)
    except OSError as error:
        raise NexumError(f"{path} cannot be written: {error.strerror}", code="NX-F120") from error
    return path


def _warn(paper: Paper, warnings: Sequence[Diagnostic]) -> None:
    from nexum.compiler.diagnostics import render_all

    if warnings and not paper.choices.quiet:
        click.echo(f"\n{render_all(warnings)}", err=True)


def _failed(choices: Choices, error: BuildError) -> int:
    if choices.json:
        print_json(envelope("nexum.build/1", error.exit_code, diagnostics=error.diagnostics, workflows=[]))
    else:
        click.echo(explained(error), err=True)
    return error.exit_code
