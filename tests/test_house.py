"""The rules of the house that no linter knows. Each names the files that break it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import nexum
from house import ROOMS, ROOT, dotted, files, imports, shown, sources, tree
from nexum.errors import entry
from nexum.errors.catalogue import CATALOGUE
from nexum.settings import DashboardSettings, Settings

LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
TARGETS = ("setup", "demo", "dev", "test", "check", "browser", "bench", "crash", "sim", "mutants", "api-fuzz", "flower")
RE_EXPORT = ROOMS["nexum_dashboard"] / "migrations" / "__init__.py"  # the whole of it is one import (decision 0002)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def matching(pattern: str, *suffixes: str, among: tuple[Path, ...] = ()) -> list[str]:
    """file:line of every match in the repository (or in some folders), this file excepted: it spells the patterns."""
    wanted = re.compile(pattern)
    return [
        f"{shown(path)}:{number}"
        for path in files(*suffixes)
        if path != Path(__file__) and (not among or any(path.is_relative_to(folder) for folder in among))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if wanted.search(line)
    ]


def test_no_python_file_is_longer_than_400_lines() -> None:
    sizes = {shown(path): len(path.read_text("utf-8").splitlines()) for path in files(".py")}

    assert {path: size for path, size in sizes.items() if size > LINES} == {}


def test_every_package_opens_with_its_theory() -> None:
    openings = [path for path in sources() if path.name == "__init__.py" and path != RE_EXPORT]

    assert len(openings) > 3
    assert [shown(path) for path in openings if len((ast.get_docstring(tree(path)) or "").split()) < 5] == []


def test_every_module_says_what_it_is() -> None:
    assert [shown(path) for path in sources() if path != RE_EXPORT and not ast.get_docstring(tree(path))] == []


def test_no_module_has_a_vague_name() -> None:
    assert [shown(path) for path in files(".py") if path.stem.strip("_") in VAGUE] == []


def test_every_room_has_a_door_plate() -> None:
    rooms = ("nexum", "orchestrator", "workers", "dashboard", "migrations", "tests", "docker")

    assert [room for room in rooms if len((ROOT / room / "README.md").read_text("utf-8").split()) < 30] == []


def test_nothing_names_a_place_outside_the_repository() -> None:
    assert matching(r"\.\./shared|/work/|/root/|/home/\w|/tmp/") == []


def test_nothing_names_a_package_index() -> None:
    assert matching(r"pypi\.org|pythonhosted|npmjs|--(extra-)?index-url|--find-links") == []


def test_there_is_no_lock_file_with_addresses() -> None:
    locks = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json"}

    assert [shown(path) for path in files() if path.name in locks or path.name.startswith("pylock")] == []


def test_constraints_are_plain_versions_and_cover_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9.-]", requirement)[0].lower().replace("_", "-") for requirement in wanted}

    assert [
        pin for pin in pins if not re.fullmatch(r'[a-z0-9-]+==[0-9a-z.]+(; python_version (<|>=) "3\.\d+")?', pin)
    ] == []
    assert names - {pin.split("==")[0] for pin in pins} == set()


def test_the_version_is_the_same_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert PROJECT["version"] == nexum.__version__
    assert f"## {nexum.__version__}" in changelog


@pytest.mark.parametrize("target", TARGETS)
def test_make_help_lists_the_target(target: str) -> None:
    printed = subprocess.check_output(["make", "--no-print-directory", "help"], cwd=ROOT, text=True)

    assert re.search(rf"^  make {target} +\w", printed, re.MULTILINE)


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")

    for command in ("make demo", "make test"):
        assert command in readme
        assert re.search(rf"^part .* {command}$", script, re.MULTILINE)


@pytest.mark.parametrize("script", ["run", "install", "python", "venv"])
def test_a_script_of_ci_is_executable_and_is_shell(script: str) -> None:
    path = ROOT / ".ci" / script

    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_ci_finds_pythons_that_only_pyenv_has(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shim, kept = tmp_path / "shims" / f"python{version}", tmp_path / "versions" / f"{version}.9" / "bin" / "python3"
    for file in (shim, kept):
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\nexit 127\n" if file is shim else f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        file.chmod(0o755)
    found, missing = (
        subprocess.run(
            [ROOT / ".ci" / "python", wanted],
            env={"PATH": f"{shim.parent}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        for wanted in (version, "3.1")
    )

    assert (found.returncode, found.stdout) == (0, f"{kept}\n")
    assert (missing.returncode, missing.stdout) == (1, "")


def test_no_test_waits_for_time_to_pass() -> None:
    sleeps = {"time.sleep", "asyncio.sleep"}
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in files(".py")
        if path.is_relative_to(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (dotted(node.func) in sleeps or dotted(node.func).endswith(".wait_for_timeout"))
        and ast.unparse(node) != "asyncio.sleep(0)"  # lets other coroutines run; no time passes
    ]
    hidden = [shown(path) for path in files(".py") if "tests" in path.parts and ("time", "sleep") in imports(path)]

    assert found + hidden == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    ways = ("skip", "skipif", "xfail", "importorskip", "skipTest", "skipUnless", "expectedFailure")
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in files(".py")
        if path.is_relative_to(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ways
        and dotted(node.value) in {"pytest", "pytest.mark", "unittest", "self"}
    ]

    assert found == []


def test_test_modules_have_names_of_their_own_and_no_packages() -> None:
    modules = [path for path in files(".py") if path.is_relative_to(ROOT / "tests")]
    names = Counter(path.name for path in modules if path.name != "conftest.py")

    assert [name for name, count in names.items() if count > 1 or name == "__init__.py"] == []


def test_nothing_is_left_to_do_in_the_code() -> None:
    assert matching(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError", ".py", ".html", ".js", ".css") == []


def test_every_error_code_in_the_code_is_registered() -> None:
    used = {code for path in sources() for code in re.findall(r"\bNX-[A-Z]\d{3}\b", path.read_text("utf-8"))}

    assert sorted(used - set(CATALOGUE)) == []


def test_every_error_code_has_a_test_that_names_it() -> None:
    tests = [path for path in files(".py") if path.is_relative_to(ROOT / "tests") and path != Path(__file__)]
    named = {code for path in tests for code in re.findall(r"\bNX-[A-Z]\d{3}\b", path.read_text("utf-8"))}

    assert sorted(set(CATALOGUE) - named) == []


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_error_says_what_why_and_how_to_mend(code: str) -> None:
    known = entry(code)

    assert known.title
    assert known.means.endswith(".")
    assert known.why.endswith(".")
    assert known.mend
    assert known.exit_code not in {0, 1, 2}, "0, 1 and 2 belong to the verdicts SAFE, BREAKING and CRITICAL"


def test_every_setting_is_read_by_somebody() -> None:
    reads = {
        node.attr
        for path in sources()
        if path != ROOMS["nexum"] / "settings.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and re.search(r"(settings|dashboard|chosen\(\))$", ast.unparse(node.value))
    }
    fields = set(Settings.model_fields) | set(DashboardSettings.model_fields)

    assert sorted(fields - reads) == []


def test_the_run_row_is_locked_so_that_inserts_of_its_children_go_on() -> None:
    strings = [
        (shown(path), node.value)
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    builders = matching(r"with_for_update\((?!.*key_share=True)", ".py", among=tuple(ROOMS.values()))

    assert [
        path for path, sql in strings if re.search(r"nexum_runs\b[^;]*?(?<!NO KEY )\bFOR UPDATE", sql, re.DOTALL)
    ] == []
    assert builders == []


def test_nothing_needs_a_session_of_the_database() -> None:
    kept_by_a_session = r"pg_(try_)?advisory_lock|\bLISTEN [a-z]|\bNOTIFY [a-z]|pg_notify|SET SESSION "

    assert matching(kept_by_a_session, ".py", ".sql", among=tuple(ROOMS.values())) == []


def test_nothing_unpickles_and_no_template_trusts_a_value() -> None:
    assert [
        shown(path) for path in sources() if {"pickle", "marshal", "shelve"} & {name for name, _ in imports(path)}
    ] == []
    assert matching(r"mark_safe|yaml\.load\(|\|\s*safe\b|autoescape off", ".py", ".html") == []


def test_no_page_promises_exactly_once() -> None:
    assert matching(r"(?i)exactly[- ]once", ".md", ".html", ".py", ".txt") == []
