"""Settings: where they come from, who wins, and what a wrong one says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexum.errors import ConfigurationError
from nexum.settings import Settings, find_pyproject, load_settings


def load(**places: Any) -> Settings:
    return load_settings(**{"env": {}, **places})


def project(folder: Path, text: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, "utf-8")
    return path


def refused(code: str, **places: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(**places)
    assert caught.value.code == code
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    settings = load()

    assert settings.database_url == "sqlite:///.nexum/dev.sqlite3"
    assert (settings.broker, settings.tenant, settings.lease_seconds, settings.slots) == ("", "default", 15, 16)
    assert settings.sources == {}


def test_the_command_line_wins_over_the_environment_over_django_over_pyproject(tmp_path: Path) -> None:
    file = project(tmp_path, "[tool.nexum]\ntenant = 'p'\nslots = 1\nprocesses = 1\npoison-after = 1\n")
    django: Mapping[str, object] = {"TENANT": "d", "SLOTS": 2, "PROCESSES": 2}
    env = {"NEXUM_TENANT": "e", "NEXUM_SLOTS": "3"}

    settings = load(cli={"tenant": "c", "slots": None}, env=env, django=django, pyproject=file)

    assert (settings.tenant, settings.slots, settings.processes, settings.poison_after) == ("c", 3, 2, 1)
    assert settings.sources == {
        "tenant": "the command line",
        "slots": "the environment",
        "processes": 'Django\'s NEXUM["..."]',
        "poison_after": "[tool.nexum]",
    }


def test_django_says_database_and_means_an_alias() -> None:
    settings = load(django={"DATABASE": "agents"}, env={"NEXUM_DATABASE": "postgresql://db/x"})

    assert (settings.database_alias, settings.database) == ("agents", "postgresql://db/x")


def test_pyproject_says_modules_and_settings(tmp_path: Path) -> None:
    file = project(tmp_path, "[tool.nexum]\nmodules = ['shop.agents']\nsettings = 'shop.settings'\n")

    settings = load(pyproject=file)

    assert (settings.workflows, settings.django_settings) == (("shop.agents",), "shop.settings")


@pytest.mark.parametrize("key", ["RETENTION_DAYS", "POLICY"])
def test_a_key_of_an_early_version_that_nothing_read_is_not_a_setting(key: str) -> None:
    assert f'NEXUM["{key}"]' in refused("NX-F101", django={key: 30})


@pytest.mark.parametrize("address", ["http://flower.local:5555", "https://ops.shop/flower/", "/flower/", ""])
def test_flower_is_somewhere_a_browser_can_go(address: str) -> None:
    assert load(django={"FLOWER_URL": address}).flower_url == address


def test_flower_is_not_where_a_browser_would_run_it() -> None:
    assert "flower_url" in refused("NX-F102", django={"FLOWER_URL": "javascript:alert(1)"})


def test_django_spells_nested_keys_in_capitals_too() -> None:
    settings = load(django={"DASHBOARD": {"BRAND": "Shop ops", "LINKS": {"trace": "x/{trace_id}"}}})

    assert (settings.dashboard.brand, settings.dashboard.links) == ("Shop ops", {"trace": "x/{trace_id}"})


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5 h", 5400), ("250ms", 0.25), ("1d", 86_400)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert load(env={"NEXUM_DRAIN_TIMEOUT": text}).drain_timeout == seconds


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("64MiB", 67_108_864), ("8 KiB", 8192), ("5000 B", 5000)])
def test_sizes_have_units(text: str, size: int) -> None:
    assert load(env={"NEXUM_MAX_PAYLOAD": text}).max_payload == size


def test_lists_and_tables_can_be_written_in_the_environment() -> None:
    settings = load(env={"NEXUM_WORKFLOWS": "shop.agents, mail.agents", "NEXUM_LLM": '{"openai": "https://llm.local"}'})

    assert settings.workflows == ("shop.agents", "mail.agents")
    assert settings.llm == {"openai": "https://llm.local"}


@pytest.mark.parametrize(
    ("places", "hint"),
    [
        ({"env": {"NEXUM_LEESE_SECONDS": "9"}}, "did you mean NEXUM_LEASE_SECONDS?"),
        ({"django": {"LEASE_SECOND": 9}}, "did you mean LEASE_SECONDS?"),
        ({"django": {"DASHBOARD": {"BRANDT": "x"}}}, "did you mean brand?"),
        ({"cli": {"slot": 9}}, "did you mean slots?"),
        ({"django": {"QQQQ": 9}}, "known are BROKER, CELERY_APP, "),
    ],
)
def test_a_misspelt_key_is_an_error_that_knows_the_right_one(places: Mapping[str, Any], hint: str) -> None:
    assert hint in refused("NX-F101", **places)


def test_a_misspelt_key_in_pyproject_names_the_file(tmp_path: Path) -> None:
    file = project(tmp_path, "[tool.nexum]\nmodule = ['shop.agents']\n")

    message = refused("NX-F101", pyproject=file)

    assert "did you mean modules?" in message
    assert str(file) in message


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({"env": {"NEXUM_SLOTS": "many"}}, ["slots", "the environment", "'many'"]),
        ({"cli": {"slots": 0}}, ["slots", "the command line", "0", "greater than or equal to 1"]),
        ({"django": {"LEASE_SECONDS": "3 weeks"}}, ["lease_seconds", "'3 weeks'", "unknown unit 'weeks'"]),
    ],
)
def test_a_value_that_does_not_fit_is_shown_with_its_place(places: Mapping[str, Any], words: list[str]) -> None:
    message = refused("NX-F102", **places)

    assert [word for word in words if word not in message] == []


def test_settings_that_contradict_each_other_are_refused() -> None:
    message = refused("NX-F100", cli={"sweep_seconds": 20})

    assert "sweep_seconds is 20 and lease_seconds is 15" in message


def test_a_message_never_repeats_what_may_be_a_secret() -> None:
    assert "sk-123" not in refused("NX-F102", env={"NEXUM_LLM": "{sk-123"})


def test_a_pyproject_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    assert "line 2" in refused("NX-F103", pyproject=project(tmp_path, "[tool.nexum]\nslots = = 3\n"))


def test_variables_of_kubernetes_and_of_the_tests_are_not_settings() -> None:
    env = {
        "NEXUM_SERVICE_HOST": "10.0.0.1",
        "NEXUM_PORT_6379_TCP_ADDR": "10.0.0.1",
        "NEXUM_PORT": "tcp://10.0.0.1:80",
        "NEXUM_TEST_PG_URL": "postgresql://x/y",
        "NEXUM_CRASH": "worker.recorded",
        "NEXUM_TENANT": "",
    }

    assert load(env=env) == Settings()


def test_the_nearest_pyproject_with_a_nexum_table_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "shop" / "orders"
    inner.mkdir(parents=True)
    project(inner, "[tool.ruff]\n")
    wanted = project(tmp_path, "[tool.nexum]\ntenant = 'x'\n")

    assert find_pyproject(inner) == wanted


@given(slots=st.integers(1, 10_000), tenant=st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_setting_means_the_same_wherever_it_is_written(slots: int, tenant: str) -> None:
    by_cli = load(cli={"slots": slots, "tenant": tenant})
    by_env = load(env={"NEXUM_SLOTS": str(slots), "NEXUM_TENANT": tenant})
    by_django = load(django={"SLOTS": slots, "TENANT": tenant})

    views = [settings.model_dump() for settings in (by_cli, by_env, by_django)]
    assert views[0] == views[1] == views[2]


def test_settings_cost_no_django_no_database_and_no_broker() -> None:
    heavy = {"django", "sqlalchemy", "celery", "kombu", "redis", "psycopg2"}
    script = f"import sys, nexum.settings; print(sorted({heavy!r} & set(sys.modules)))"

    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
