"""`nexum demo`: the example's own proof, where the example is."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import click

from nexum.cli.exits import Exit
from nexum.cli.verb import Choices, verb
from nexum.errors import NexumError

MODULE = "examples.refund_agent.demo"


@verb("demo", short_help="Watch an agent survive kill -9 with one refund sent.")
@click.option("--repeat", type=click.IntRange(1), default=1, help="How often Nexum's part is played.")
@click.option("--nexum-only", is_flag=True, help="Without the same agent on plain Celery.")
@click.option("--keep", default="", metavar="FOLDER", help="Keep databases, ledgers and logs there.")
@click.pass_obj
def command(choices: Choices, repeat: int, nexum_only: bool, keep: str) -> int:
    """Run a refund agent, kill its workers where it hurts, and let the provider's ledger speak.

    The example is part of the repository, not of the installed package. Exit code 0 only if the ledger is right.
    """
    if not is_here():
        raise NexumError("the example is not on the import path", code="NX-F124")
    words = ["--repeat", str(repeat)]
    words += ["--nexum-only"] if nexum_only else []
    words += ["--keep", keep] if keep else []
    path = os.pathsep.join([os.getcwd(), *filter(None, sys.path)])
    done = subprocess.run(  # noqa: S603 (our own module, our own words)
        [sys.executable, "-m", MODULE, *words], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    return _code(done.returncode)


def is_here() -> bool:
    """Whether the example can be imported from where we are."""
    sys.path.insert(0, os.getcwd())
    try:
        return find_spec(MODULE) is not None
    except ModuleNotFoundError:
        return False
    finally:
        sys.path.pop(0)


def _code(left: int) -> int:
    """The demo's exit code; what would be a verdict or a signal is a failure of ours."""
    if left < 0:
        return 128 - left
    return Exit.BUG if left in (Exit.BREAKING, Exit.CRITICAL) else left
