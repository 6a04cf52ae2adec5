"""The documentation is true: its code runs, its commands exist, its links lead somewhere, its reference is the code's."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from fleet import ROOMS
from house import ROOT
from nexum.cli.main import COMMANDS, nexum
from nexum.errors.catalogue import CATALOGUE
from pages import blocks, pages
from shopproject import SHOP, ShopProject

DOCS = [page for page in pages() if page.parent != ROOT]
EVERY = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages()]
EVIDENCE = ROOT / "docs" / "evidence" / "rubric.md"
IMPORT = """
import importlib, json
from django.core.management import call_command
from django.test.utils import get_runner
from django.conf import settings
call_command("migrate", verbosity=0)
call_command("loaddata", "orders", verbosity=0)
for name in %s:
    importlib.import_module(name)
runner = get_runner(settings)(verbosity=0)
tests = ["page_start_from_a_view"]
print(json.dumps([runner.build_suite(tests).countTestCases(), runner.run_tests(tests)]))
"""


def test_the_code_of_every_page_runs_inside_a_shop(tmp_path: Path) -> None:
    code = tmp_path / "shop"
    shutil.copytree(SHOP, code, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    written = []
    for page in DOCS:
        found = blocks(page, "python")
        if found:
            written.append(f"page_{page.stem.replace('-', '_')}")
            (code / f"{written[-1]}.py").write_text("\n".join(block.text for block in found))
    shop = ShopProject(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}", code=code)

    assert len(written) >= 5
    assert shop.python(IMPORT % written) == [1, 0]  # one test of Django's, no failure


def test_the_generated_pages_are_what_the_code_says() -> None:
    env = {"PYTHONPATH": ":".join(ROOMS[:-1]), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("page", EVERY)
def test_a_page_s_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    lost = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not _leads_somewhere(page, link)]

    assert lost == []


@pytest.mark.parametrize("page", EVERY)
def test_a_page_s_commands_and_codes_exist(page: Path) -> None:
    wrong = [
        f"{block.place}: {command}"
        for block in blocks(page, "console")
        for command in block.commands
        if not _exists(command)
    ]
    codes = set(re.findall(r"\bNX-[A-Z]\d{3}\b", page.read_text("utf-8")))

    assert wrong == []
    assert codes - set(CATALOGUE) == set()


def test_every_block_has_a_language_that_is_checked() -> None:
    strange = [
        block.place
        for page in DOCS
        for block in blocks(page)
        if block.language not in ("python", "console", "text", "json", "sql")
    ]

    assert strange == []


def test_every_command_of_the_evidence_can_be_run() -> None:
    rows = re.findall(r"^\|[^|]*\|[^|]*\|[^|]*\| `(.*?)` \|", EVIDENCE.read_text("utf-8"), re.MULTILINE)
    tests = [word for row in rows if row.startswith("pytest ") for word in row.split()[1:]]
    others = [row for row in rows if not row.startswith("pytest ")]

    assert len(rows) >= 14
    assert [test for test in tests if not (ROOT / test).exists()] == []
    assert [command for command in others if not _exists(command)] == []


def _leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"https?://|mailto:", link):
        return False  # the documentation stands alone
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def _exists(command: str) -> bool:
    """Whether a line that a reader types is a command of ours with options that it has, or a plain one."""
    words = shlex.split(command)
    if words[0] == "make":
        return re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE) is not None
    if words[:2] == ["python", "manage.py"]:
        return words[2] != "nexum" or _is_ours(words[3:])
    if words[:2] == ["python", "-m"]:
        return (ROOT / Path(*words[2].split("."))).with_suffix(".py").exists()
    if words[0] == "nexum":
        return _is_ours(words[1:])
    return words[0] in ("cd", ".", "pip", "celery", "curl", ".ci/run")


def _is_ours(words: list[str]) -> bool:
    if words[0] not in COMMANDS:
        return False
    try:
        with nexum.make_context("nexum", list(words)) as above:
            name, command, rest = nexum.resolve_command(above, list(words))
            assert command is not None
            command.make_context(name, rest, parent=above)
    except click.UsageError:
        return False
    return True
