"""`nexum db`: the schema of the database."""

from __future__ import annotations

import re
from pathlib import Path

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.project import Project, open_project
from nexum.cli.verb import Choices, verb
from nexum.errors import ConfigurationError, NexumError, UnavailableError
from nexum.store.address import parse
from nexum.store.schema import schema_version, shipped, upgrade

_PASSWORD = re.compile(r"([?&;][a-z_]*password=)[^&]*", re.IGNORECASE)


@click.group("db", short_help="The database: `db upgrade`, `db status`.")
def command() -> None:
    """The database: bring its schema up to date, or say where it stands."""


@verb("upgrade", short_help="Apply the migrations that the database lacks.")
@click.pass_obj
def _upgrade(choices: Choices) -> int:
    """Apply the migrations that the database lacks; the same that `manage.py migrate` applies. Safe to repeat."""
    project = open_project(choices)
    before = _standing(project)
    apply_migrations(project.url)
    after = _standing(project)
    if choices.json:
        print_json(envelope("nexum.db-upgrade/1", Exit.DONE, database=shown(project.url), before=before, after=after))
        return Exit.DONE
    was = "nothing to do, at" if before == after else f"{before or 'empty'} ->"
    Paper(choices).line(f"{shown(project.url)}: {was} {after}")
    return Exit.DONE


@verb("status", short_help="Say which migrations the database has.")
@click.pass_obj
def _status(choices: Choices) -> int:
    """Say which migrations the database has. Exit code 78 when it is not the schema that this installation needs."""
    project = open_project(choices)
    have, want = _standing(project), shipped()[-1]
    problem = _problem(project)
    code = problem.exit_code if problem else Exit.DONE
    if choices.json:
        from nexum.cli.complaints import diagnostics_of

        found = diagnostics_of(problem) if problem else []
        where = shown(project.url)
        print_json(envelope("nexum.db-status/1", code, diagnostics=found, database=where, applied=have, shipped=want))
        return code
    Paper(choices).line(f"{shown(project.url)}: {have or 'no tables of Nexum'}, this installation brings {want}")
    if problem:
        raise problem
    return code


command.add_command(_upgrade)
command.add_command(_status)


def apply_migrations(url: str) -> None:
    """Bring a database up to date. Raises `UnavailableError` NX-S100 when it does not answer."""
    try:
        upgrade(url)
    except NexumError:
        raise
    except Exception as error:
        if type(error).__name__ not in {"OperationalError", "InterfaceError"}:
            raise
        raise UnavailableError(f"{shown(url)}: {str(error).splitlines()[0]}") from error


def shown(url: str) -> str:
    """An address as it may be printed: without its password; a broker's may be several, with `;` between them."""
    return ";".join(_without_password(part) for part in url.split(";"))


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    bare = f"{scheme}://{user}{':***' if colon else ''}{at}{place}" if at else url
    return _PASSWORD.sub(r"\1***", bare)


def _standing(project: Project) -> str:
    """The newest migration applied; does not make a SQLite file by looking for it."""
    file = parse(project.url).path
    return schema_version(project.connection.store) if not file or Path(file).exists() else ""


def _problem(project: Project) -> ConfigurationError | None:
    try:
        project.check_schema()
    except ConfigurationError as error:
        return error
    return None
