"""What all commands share: the choices of whoever calls, and a group that imports a command when it is called."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import click

from nexum.cli.exits import Exit


@dataclass(slots=True)
class Choices:
    """What was asked for on the command line, before or after the command's name."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: str = "auto"
    utc: bool = False
    settings: str | None = None
    database: str | None = None
    tenant: str | None = None
    words: tuple[str, ...] = ()


class Lazy(NamedTuple):
    """A command that is imported when it is called: the `command` of a module; `help` is its first line."""

    module: str
    help: str
    command: str = "command"


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    choices = ctx.ensure_object(Choices)
    if value not in (None, False, 0):
        setattr(choices, str(param.name), value)
    return value


def _shared() -> list[click.Option]:
    """The options that every command takes."""

    def option(*names: str, **how: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_note, is_eager=True, **how)

    return [
        option("--json", is_flag=True, help="One JSON document on standard output, and nothing else there."),
        option("-q", "--quiet", is_flag=True, help="No progress and no hints."),
        option("-v", "--verbose", count=True, help="Say more; repeat for still more."),
        option("--color", type=click.Choice(["auto", "always", "never"]), help="When to colour; NO_COLOR is honoured."),
        option("--utc", is_flag=True, help="Times in UTC instead of this machine's zone."),
        option("--settings", metavar="MODULE", help="Django's settings module."),
        option("--database", metavar="URL|ALIAS", help="The database: a URL, or one of Django's DATABASES."),
        option("--tenant", metavar="NAME", help="The tenant to act for; runs and effects of others are not found."),
    ]


class Verb(click.Command):
    """A command with the shared options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_shared())


class LazyGroup(click.Group):
    """A group that knows its commands by name; `commands` are imported one by one, when they are called."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy
        self.params.extend(_shared())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table, which is the order of a day's work."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command. Raises `click.UsageError` with the nearest name for one that does not exist."""
        if cmd_name not in self._lazy:
            near = difflib.get_close_matches(cmd_name, self._lazy, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"there is no command `{cmd_name}`{hint}", ctx)
        lazy = self._lazy[cmd_name]
        command: click.Command = getattr(import_module(lazy.module), lazy.command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self._lazy.items()])


def verb(name: str, **how: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function a command of ours: `@verb("start")`; the function gives an exit code or nothing."""

    def make(function: Callable[..., Any]) -> Verb:
        made = click.command(name, cls=Verb, **how)(function)
        assert isinstance(made, Verb)
        return made

    return make


def code_of(answer: object) -> int:
    """The exit code of what a command gave back."""
    return int(answer) if isinstance(answer, int) else Exit.DONE
