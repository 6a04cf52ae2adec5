"""One frozen `Settings`, and the four places it is gathered from.

Per key the first of these that names it wins: the command line, the environment (`NEXUM_LEASE_SECONDS`), Django's `NEXUM`
dict (`"LEASE_SECONDS"`), `[tool.nexum]` in pyproject.toml (`lease-seconds`). Django's dict stands above pyproject.toml
because a web process often does not find the file that a worker, started in the repository, does; both must agree.

A key that is not known is an error with the nearest known one: a misspelt setting that is silently ignored shows itself
months later, as a default nobody asked for. This module imports no Django; `nexum.store.django` hands its dict in.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from nexum.core.values import INLINE_MAX
from nexum.errors import ConfigurationError

NO_BROKER = "none"
DEV_DATABASE = ".nexum/dev.sqlite3"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_KUBERNETES = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
_SECRET = ("broker", "database", "llm")  # in no message and no repr: addresses carry passwords
_NOT_SETTINGS = ("NEXUM_TEST_", "NEXUM_FAILPOINT", "NEXUM_CRASH")  # read by nexum.testing, not by an installation


def _measure(units: Mapping[str, float]) -> BeforeValidator:
    """Read `30m` or `64MiB` beside a bare number."""

    def read(value: object) -> object:
        found = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]+)\s*", value) if isinstance(value, str) else None
        if found is None:
            return value
        if found[2] not in units:
            raise ValueError(f"unknown unit {found[2]!r}, known are {', '.join(units)}")
        return float(found[1]) * units[found[2]]

    return BeforeValidator(read)


def _listed(value: object) -> object:
    """Read `a.b, c.d` as a list."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _decoded(value: object) -> object:
    """Read JSON, the way a mapping is written in the environment."""
    return json.loads(value) if isinstance(value, str) else value


Seconds = Annotated[float, _measure(_SECONDS)]
Size = Annotated[int, _measure(_BYTES)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Table = Annotated[Mapping[str, Any], BeforeValidator(_decoded)]


class DashboardSettings(BaseModel):
    """How the dashboard looks and behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brand: str = Field(default="Nexum", description="name shown at the top of every page")
    base_template: str = Field(default="", description="a template of the shop's to live inside; empty: our own")
    time_zone: str = Field(default="", description="IANA name of the zone in which times are shown; empty: Django's")
    links: Mapping[str, str] = Field(default={}, description="addresses with {run_id} or {trace_id}: `logs`, `trace`")

    @model_validator(mode="before")
    @classmethod
    def _either_case(cls, given: object) -> object:
        """Django's dict says BRAND, pyproject.toml says brand."""
        return {str(key).lower(): value for key, value in given.items()} if isinstance(given, Mapping) else given


class Settings(BaseModel):
    """Everything an installation may choose. The reference page of the documentation is made from these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database: str = Field(
        default="",
        repr=False,  # as every field of `_SECRET`
        description="URL of the engine's database; empty: Django's `database_alias`, and without Django "
        "SQLite in .nexum/dev.sqlite3",
    )
    database_alias: str = Field(
        default="default", description="Django: which of DATABASES (`DATABASE` in the NEXUM dict)"
    )
    django_settings: str = Field(default="", description="the shop's settings module (`settings` in [tool.nexum])")
    broker: str = Field(
        default="",
        repr=False,
        description="URL of the broker; `none`: no broker; empty: that of `celery_app`, else none",
    )
    celery_app: str = Field(
        default="", description="the shop's Celery app, `shop.celery:app`; only its broker URL is taken"
    )
    workflows: Names = Field(default=(), description="modules that define workflows (`modules` in [tool.nexum])")
    tenant: str = Field(default="default", min_length=1, description="tenant of runs started without one")
    lease_seconds: Seconds = Field(
        default=15.0, ge=2, le=3600, description="a process that is silent this long loses its work"
    )
    sweep_seconds: Seconds = Field(
        default=1.0, ge=0.05, le=300, description="pause between two looks for what was lost"
    )
    inline_max: Size = Field(default=INLINE_MAX, ge=0, le=1 << 20, description="larger payloads become blobs, bytes")
    max_payload: Size = Field(default=64 << 20, ge=1024, le=1 << 30, description="larger payloads are refused, bytes")
    snapshot_every: int = Field(default=100, ge=1, description="events of a run between two snapshots of its state")
    processes: int = Field(default=0, ge=0, le=1024, description="worker children; 0: one for each CPU")
    slots: int = Field(default=16, ge=1, le=10_000, description="handlers that one worker child runs at a time")
    drain_timeout: Seconds = Field(
        default=1800.0, ge=0, description="how long a stopping worker waits for its handlers, seconds"
    )
    poison_after: int = Field(default=5, ge=1, description="a task that killed so many workers is not given to another")
    four_eyes: Names = Field(
        default=(),
        description="tools for which a decision about an effect in doubt needs two people, `*` for all; who decides first is "
        "then confirmed by somebody else",
    )
    llm: Table = Field(default={}, repr=False, description="language models by provider name")
    dashboard: DashboardSettings = DashboardSettings()
    flower_url: str = Field(
        default="",
        pattern="^(https?://|/|$)",
        description="where Flower is; every page of the dashboard then has a link to it",
    )
    sources: Mapping[str, str] = Field(default={}, exclude=True, repr=False, description="which place gave which key")

    @property
    def database_url(self) -> str:
        """The database outside Django: `database`, or the development default."""
        return self.database or f"sqlite:///{DEV_DATABASE}"


_DJANGO_NAMES = {"DATABASE": "database_alias"}
_TOML_NAMES = {"modules": "workflows", "settings": "django_settings"}
_KEYS = tuple(name for name in Settings.model_fields if name != "sources")


def load_settings(
    *,
    cli: Mapping[str, object] | None = None,
    env: Mapping[str, str] = os.environ,
    pyproject: Path | None = None,
    django: Mapping[str, object] | None = None,
) -> Settings:
    """Gather the settings; a value of None on the command line, and an empty variable, count as not given.

    Raises `ConfigurationError`: NX-F100 for two values that contradict each other, NX-F101 for an unknown key, NX-F102 for
    a value that does not fit, NX-F103 for a pyproject.toml that cannot be read.
    """
    places = (
        ("[tool.nexum]", _from_toml(pyproject)),
        ('Django\'s NEXUM["..."]', _renamed(django or {}, _django_names(), 'NEXUM["{}"] in Django\'s settings')),
        ("the environment", _from_env(env)),
        ("the command line", _from_cli(cli or {})),
    )
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for place, found in places:
        values |= found
        sources |= dict.fromkeys(found, place)
    try:
        settings = Settings.model_validate({**values, "sources": sources})
    except ValidationError as error:
        raise _misfit(error, sources) from error
    _agree(settings)
    return settings


def _agree(settings: Settings) -> None:
    """Raise when two settings, each fine alone, contradict each other."""
    if settings.sweep_seconds >= settings.lease_seconds:
        raise ConfigurationError(
            f"sweep_seconds is {settings.sweep_seconds:g} and lease_seconds is {settings.lease_seconds:g}: "
            "nobody would look for lost work while its lease runs out",
            fixes=("make sweep_seconds shorter than lease_seconds",),
        )


def find_pyproject(start: Path) -> Path | None:
    """The nearest pyproject.toml at or above `start` that has a table [tool.nexum]."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and _table(path):
            return path
    return None


def _from_cli(cli: Mapping[str, object]) -> dict[str, object]:
    given = {name: value for name, value in cli.items() if value is not None}
    return _renamed(given, {name: name for name in _KEYS}, "option {}")


def _from_env(env: Mapping[str, str]) -> dict[str, object]:
    given = {
        name: value
        for name, value in env.items()
        if name.startswith("NEXUM_") and value and not name.startswith(_NOT_SETTINGS) and not _is_kubernetes(name)
    }
    return _renamed(given, {f"NEXUM_{name.upper()}": name for name in _KEYS}, "environment variable {}")


def _is_kubernetes(name: str) -> bool:
    """Kubernetes sets NEXUM_SERVICE_HOST and the like in every pod when a service is called `nexum`."""
    return _KUBERNETES.search(name) is not None


def _from_toml(pyproject: Path | None) -> dict[str, object]:
    if pyproject is None:
        return {}
    table = {name.replace("-", "_"): value for name, value in _table(pyproject).items()}
    names = {name: name for name in _KEYS if name not in _TOML_NAMES.values()} | _TOML_NAMES
    return _renamed(table, names, f"key {{}} of [tool.nexum] in {pyproject}")


def _table(pyproject: Path) -> Mapping[str, object]:
    try:
        tool = tomllib.loads(pyproject.read_text("utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{pyproject} cannot be read: {error}", code="NX-F103") from error
    found: Mapping[str, object] = tool.get("nexum", {})
    return found


def _django_names() -> dict[str, str]:
    own = {name.upper(): name for name in _KEYS if name not in {"database", "database_alias", "django_settings"}}
    return own | _DJANGO_NAMES


def _renamed(given: Mapping[str, object], names: Mapping[str, str], place: str) -> dict[str, object]:
    """The values under our names; the first key without one raises."""
    for name in given:
        if name not in names:
            raise ConfigurationError(
                f"{place.format(name)} is not a setting", code="NX-F101", fixes=(_did_you_mean(name, names),)
            )
    return {names[name]: value for name, value in given.items()}


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def _misfit(error: ValidationError, sources: Mapping[str, str]) -> ConfigurationError:
    """Pydantic's first finding as one of ours."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    place = sources.get(path[0], "the defaults")
    if first["type"] == "extra_forbidden":
        fields = DashboardSettings.model_fields
        return ConfigurationError(
            f"{'.'.join(path)} from {place} is not a setting",
            code="NX-F101",
            fixes=(_did_you_mean(path[-1], fields),),
        )
    value = "not fit" if path[0] in _SECRET else f"{first['input']!r:.80}"
    return ConfigurationError(
        f"{'.'.join(path)} from {place} is {value}: {first['msg']}",
        code="NX-F102",
        fixes=(f"correct {path[0]} in {place}",),
    )
