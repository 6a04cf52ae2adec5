"""The group of commands, and the way in and out of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

import click

from nexum.cli.exits import conclude
from nexum.cli.verb import Choices, Lazy, LazyGroup, code_of
from nexum.errors import NexumError
from nexum.version import __version__

COMMANDS = {
    "dev": Lazy("nexum.cli.commands.dev", "Dashboard, scheduler and a worker on this machine, reloading on change."),
    "demo": Lazy("nexum.cli.commands.demo", "Watch an agent survive kill -9 with one refund sent."),
    "build": Lazy("nexum.cli.commands.build", "Compile the workflows, check them, show their versions."),
    "deploy": Lazy("nexum.cli.commands.deploy", "Register the built versions and make them the default."),
    "start": Lazy("nexum.cli.commands.start", "Start a run."),
    "list": Lazy("nexum.cli.commands.list", "The newest runs, or those that a query matches."),
    "show": Lazy("nexum.cli.commands.show", "One run: where it stands, its nodes, its last events."),
    "why": Lazy("nexum.cli.commands.why", "Why a run is where it is, and what to do."),
    "in-doubt": Lazy(
        "nexum.cli.commands.in_doubt", "Effects in doubt: `list`, `show`, `reconcile`, `resolve`, `acknowledge`."
    ),
    "dlq": Lazy(
        "nexum.cli.commands.dlq",
        "Dead letters: `list`, `show`, `retry`, `skip`, `acknowledge`, `assign`, `fixed`, `ignore`.",
    ),
    "retry": Lazy("nexum.cli.commands.mending", "Try a node now that waits, or that is parked.", "retry"),
    "skip": Lazy("nexum.cli.commands.mending", "Go on without a node, or with a value in its place.", "skip"),
    "fail": Lazy("nexum.cli.commands.mending", "Let a node fail for good.", "fail"),
    "cancel": Lazy("nexum.cli.commands.closing", "Ask a run to end, and undo what it has done.", "cancel"),
    "terminate": Lazy("nexum.cli.commands.closing", "End a run at once; nothing is undone.", "terminate"),
    "breaker": Lazy("nexum.cli.commands.breaker", "Circuit breakers: `list`, `open`, `close`, `auto`."),
    "worker": Lazy("nexum.cli.commands.worker", "Execute the nodes of this code's versions."),
    "scheduler": Lazy("nexum.cli.commands.scheduler", "Fire timers and take up what was lost."),
    "db": Lazy("nexum.cli.commands.db", "The database: `db upgrade`, `db status`."),
    "token": Lazy("nexum.cli.commands.token", "Tokens for the REST interface: `create`, `list`, `revoke`."),
    "doctor": Lazy("nexum.cli.commands.doctor", "Look for what is wrong, and say how to mend it."),
    "explain": Lazy("nexum.cli.commands.explain", "What an error code means and how to mend it."),
}


def _psycopg2() -> str:
    """The version of PostgreSQL's driver; it is installed under two names."""
    for name in ("psycopg2", "psycopg2-binary"):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "is not installed"


def _versions(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    import sqlite3

    click.echo(f"nexum {__version__}\npython {sys.version.split()[0]}")
    for name in ("django", "celery", "sqlalchemy"):
        click.echo(f"{name} {metadata.version(name)}")
    click.echo(f"psycopg2 {_psycopg2()}\nsqlite {sqlite3.sqlite_version}")
    ctx.exit()


@click.group(
    "nexum",
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`nexum COMMAND --help` says more. `nexum explain CODE` explains an error.",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_versions, help="Versions in use.")
def nexum() -> None:
    """Durable agents for Django shops, on the Celery they already run."""


def run(args: Sequence[str] | None = None, *, prog: str = "nexum") -> int:
    """Run one command; gives its exit code. The console script, `python -m nexum` and `manage.py nexum` end with it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no stored text may make an answer fail
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    choices = Choices(words=tuple(words))

    def act() -> int:
        with nexum.make_context(prog, words, obj=choices) as ctx:
            return code_of(nexum.invoke(ctx))

    return conclude(act, lambda error, code: _complain(error, code, choices, words))


def _complain(error: NexumError, code: int, choices: Choices, words: Sequence[str]) -> None:
    from nexum.cli.complaints import complain

    complain(error, code, as_json=choices.json or "--json" in words, color=choices.color)
