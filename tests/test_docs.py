"""The README is true: its agent runs in a shop, its commands do what they say."""

from __future__ import annotations

import shlex
import shutil
from contextlib import ExitStack
from pathlib import Path

from house import ROOT
from nexum.testing.fakes.process import running
from pages import blocks
from shopproject import SHOP, ShopProject

README = ROOT / "README.md"
STAY = ("worker", "scheduler")  # commands that keep running

URLS = """
from __future__ import annotations
from django.contrib import admin
from django.urls import include, path
from orders import views
urlpatterns = [
    path("claims/", views.file_claim),
    path("admin/", admin.site.urls),
    path("nexum/", include("nexum_dashboard.urls")),
]
"""

# a model without an account: it answers for every provider
SCRIPT = """
from __future__ import annotations
from nexum_workers.models.scripted import Rule, Script
JUDGE = Script(rules=(Rule("broken", ('{"refund": true, "score": 92}',)),), default=Rule("", ('{"refund": false, "score": 90}',)))
"""

FILE = """
import json
from django.core.management import call_command
from django.test import Client
from nexum.client.connect import connect
from nexum.client.runs import RunHandle
call_command("loaddata", "orders", verbosity=0)
def file(text):
    answer = Client().post("/claims/", {"order": "1042", "text": text})
    assert answer.status_code == 202, answer.content
    return RunHandle(answer.json()["run"], connect())
handles = [file(text) for text in ("It arrived broken.", "It is still broken.", "I changed my mind.")]
print(json.dumps([[handle.result(60), handle.status()] for handle in handles]))
"""


def test_the_agent_of_the_readme_runs_in_a_shop_and_refunds_an_order_once(tmp_path: Path) -> None:
    shop = _readme_shop(tmp_path)
    install = next(block for block in blocks(README, "console") if "migrate" in block.text)

    with running("fakepay", ledger=str(tmp_path / "ledger.jsonl")) as pay, ExitStack() as kept:
        shop.env["PAYMENTS_URL"] = pay.url
        for command in install.commands:
            python, program, *words = shlex.split(command)
            assert (python, program) == ("python", "manage.py")
            if words[-1] in STAY:
                kept.enter_context(shop.running(*words))
            else:
                shop.manage(*words)
        found = shop.python(FILE)
        acts = [act["body"]["order_id"] for act in pay.get("/ledger")]

    assert found == [[{"id": "re_1"}, "COMPLETED"], [{"id": "re_1"}, "COMPLETED"], [None, "COMPLETED"]]
    assert acts == ["1042"]


def test_the_other_commands_of_the_readme_are_targets_of_make() -> None:
    commands = [command for block in blocks(README, "console") for command in block.commands]
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if ": " in line}

    others = [command for command in commands if not command.startswith("python manage.py ")]
    assert others
    assert [command for command in others if command.removeprefix("make ") not in targets] == []


def test_every_block_of_the_readme_is_run_by_these_tests() -> None:
    languages = {block.language for block in blocks(README)}

    assert languages == {"python", "console"}
    assert [block.file for block in blocks(README, "python")] == ["orders/agents.py", "orders/views.py"]


def _readme_shop(folder: Path) -> ShopProject:
    """The example shop with the README's files in place of its own."""
    code = folder / "shop"
    shutil.copytree(SHOP, code, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    for block in blocks(README, "python"):
        (code / block.file).write_text(block.text)
    (code / "shopsite" / "urls.py").write_text(URLS)
    (code / "orders" / "script.py").write_text(SCRIPT)
    return ShopProject(folder, f"sqlite:///{folder / 'shop.db'}", code=code)
