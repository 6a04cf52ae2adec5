"""Which migrations a database has, and which this installation brings."""

from __future__ import annotations

from importlib.util import find_spec
from pkgutil import iter_modules

from nexum.errors import ConfigurationError
from nexum.store.statement import Statement
from nexum.store.verbs import Verbs

_APPLIED = Statement("SELECT name FROM django_migrations WHERE app = 'nexum' ORDER BY name")


def shipped() -> tuple[str, ...]:
    """The names of the migrations that this installation brings, in order."""
    found = find_spec("nexum_migrations")
    paths = list(found.submodule_search_locations or ()) if found else []
    return tuple(sorted(module.name for module in iter_modules(paths) if not module.name.startswith("_")))


def schema_version(store: object) -> str:
    """The newest migration that the database has; '' when it has no tables of Nexum."""
    names = _applied(store)
    return names[-1] if names else ""


def check_schema(store: object) -> None:
    """Raises `ConfigurationError`: NX-S110 without tables, NX-S111 for an older database, NX-S112 for a newer one."""
    have, want = _applied(store), shipped()
    if not have:
        raise ConfigurationError("the database has no tables of Nexum", code="NX-S110")
    missing = [name for name in want if name not in have]
    if missing:
        raise ConfigurationError(
            f"the database is at migration {have[-1]}, this installation needs {want[-1]}", code="NX-S111"
        )
    if len(have) > len(want):
        raise ConfigurationError(
            f"the database is at migration {have[-1]}, this installation knows {want[-1]}", code="NX-S112"
        )


def upgrade(url: str) -> None:
    """Apply every migration that a database lacks; safe to repeat. Imports Django, and only here."""
    from nexum.store.django import migrate

    migrate(url)


def _applied(store: object) -> list[str]:
    assert isinstance(store, Verbs)
    try:
        with store.database.once() as tx:
            return [row[0] for row in tx.rows(_APPLIED)]
    except ConfigurationError as error:
        if error.code != "NX-S110":
            raise
        return []
