"""What a command finds around it: settings, Django when there is a project, the workflows, the database."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nexum.cli.verb import Choices
from nexum.errors import ConfigurationError, NexumError
from nexum.settings import Settings, find_pyproject, load_settings

if TYPE_CHECKING:
    from nexum.client.connect import Connection
    from nexum.sdk.registry import Registry
    from nexum.store.verbs import Verbs


@dataclass(frozen=True)
class Project:
    """The settings that hold here. `django` is the settings module in use, "" without; the rest is opened when asked."""

    settings: Settings
    django: str
    django_from: str
    pyproject: Path | None

    @cached_property
    def url(self) -> str:
        """The address of the database."""
        from nexum.client.connect import database_url

        return database_url(self.settings)

    @cached_property
    def connection(self) -> Connection:
        """Store and doorbell, for starting runs."""
        from nexum.client.connect import connect

        return connect(self.settings)

    @cached_property
    def store(self) -> Verbs:
        """The store, once the schema was found to be the one that this installation needs."""
        self.check_schema()
        return self.any_store

    @cached_property
    def any_store(self) -> Verbs:
        """The store, whatever schema its database has; commands read its tables."""
        from nexum.store.verbs import Verbs

        store = self.connection.store
        assert isinstance(store, Verbs)
        return store

    def check_schema(self) -> None:
        """Raises `ConfigurationError` NX-S110 to NX-S112, `UnavailableError` when the database does not answer."""
        from nexum.store.schema import check_schema

        self.check_there()
        check_schema(self.connection.store)

    def check_there(self) -> None:
        """Raises `ConfigurationError` NX-S110 for a SQLite file that does not exist; opening would make an empty one."""
        from nexum.store.address import parse

        file = parse(self.url).path
        in_memory = "mode=memory" in file  # as Django's test database is
        if file and not in_memory and not Path(file).exists():
            raise ConfigurationError(f"there is no database {file} yet", code="NX-S110")

    @property
    def modules(self) -> Sequence[str]:
        """The modules in which workflows are looked for: `agents` of each installed app, then those of the settings."""
        found = list(self.settings.workflows)
        if self.django:
            from nexum.store.django import agent_modules

            found = [*agent_modules(), *found]
        return list(dict.fromkeys(found))

    def registry(self) -> Registry:
        """The workflows of this code. Raises `BuildError`, and `NexumError` NX-D204 when there is none.

        What a module prints while it is imported goes to standard error: standard output is the answer.
        """
        from nexum.sdk.registry import discover

        modules = self.modules
        with redirect_stdout(sys.stderr):
            registry = discover(modules)
        if not len(registry):
            raise NexumError(f"no workflow was found in {_listed(modules)}", code="NX-D204")
        return registry


def open_project(choices: Choices) -> Project:
    """Gather the settings and set Django up when there is a project.

    Django's settings module is, in this order: `--settings`, `DJANGO_SETTINGS_MODULE`, `settings` in [tool.nexum]. Raises
    `ConfigurationError` NX-F101 to NX-F104.
    """
    here = Path.cwd()
    pyproject = find_pyproject(here)
    for folder in (pyproject.parent if pyproject else here, here):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))  # a console script does not have the working directory on its path
    given: dict[str, object] = {"tenant": choices.tenant}
    if choices.database:
        given["database" if "://" in choices.database else "database_alias"] = choices.database
    settings = load_settings(cli=given, pyproject=pyproject)
    module, source = _django_module(choices, settings)
    if not module:
        return Project(settings, "", "", pyproject)
    project = _set_up(module, source)
    return Project(load_settings(cli=given, pyproject=pyproject, django=project), module, source, pyproject)


def _django_module(choices: Choices, settings: Settings) -> tuple[str, str]:
    environment = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    for module, source in (
        (choices.settings or "", "--settings"),
        (environment, "DJANGO_SETTINGS_MODULE"),
        (settings.django_settings, settings.sources.get("django_settings", "")),
    ):
        if module:
            return module, source
    return "", ""


def _set_up(module: str, source: str) -> dict[str, object]:
    """Configure Django; gives the project's NEXUM dictionary."""
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    try:
        import django

        from nexum.store.django import project_settings

        with redirect_stdout(sys.stderr):
            django.setup()
        return dict(project_settings() or {})
    except NexumError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"Django cannot be set up with {module!r} (from {source}): {type(error).__name__}: {error}", code="NX-F104"
        ) from error


def _listed(modules: Sequence[str]) -> str:
    return ", ".join(modules) if modules else "any module: none is named"
