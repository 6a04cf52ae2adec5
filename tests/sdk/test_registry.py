"""Finding workflows in modules."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from nexum import BuildError, NexumError, Workflow
from nexum.sdk.registry import Registry, discover

GOOD = """
from nexum import Workflow, workflow

def double(input: int) -> int:
    return 2 * input

agent = Workflow("Alpha", input=int)
agent.compute()(double)
built = agent.build()
again = built
fluent = workflow("Beta", input=int).compute("double", double)
unbuilt = Workflow("Gamma", input=int)
unbuilt.compute()(double)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_workflows_are_found_built_or_not(write: Path) -> None:
    (write / "shop_good.py").write_text(GOOD)

    registry = discover(["shop_good"])

    assert sorted(workflow.name for workflow in registry) == ["Alpha", "Beta", "Gamma"]
    assert len(registry) == 3


def test_a_version_is_looked_up_by_its_hash(write: Path) -> None:
    (write / "shop_lookup.py").write_text(GOOD)

    registry = discover(["shop_lookup"])

    alpha = registry.named("Alpha")
    assert alpha is not None
    assert registry[alpha.version] is alpha
    assert registry.get(alpha.version) is alpha
    assert alpha.version in registry
    assert registry.get("sha256:00") is None
    assert alpha.graph.queue in registry.queues


def test_a_workflow_that_is_imported_elsewhere_is_one(write: Path) -> None:
    (write / "shop_origin.py").write_text(GOOD)
    (write / "shop_user.py").write_text("from shop_origin import built\n")

    assert len(discover(["shop_origin", "shop_user"])) == 3


def test_a_module_that_raises_is_reported_with_the_users_frames(write: Path) -> None:
    (write / "shop_inner.py").write_text("def look():\n    return {}['price']\n")
    (write / "shop_broken.py").write_text("import shop_inner\n\nshop_inner.look()\n")

    with pytest.raises(BuildError) as caught:
        discover(["shop_broken"])

    (found,) = caught.value.diagnostics
    assert found.code == "NX-B126"
    assert found.message == "module `shop_broken` cannot be imported: KeyError: 'price'"
    assert (Path(found.file).name, found.line, found.snippet) == ("shop_inner.py", 2, "    return {}['price']")
    assert f"{write}/shop_broken.py:3 in <module>, then {write}/shop_inner.py:2 in look" in found.why
    assert "registry.py" not in found.why
    assert caught.value.exit_code == 65


def test_a_missing_module_is_reported() -> None:
    with pytest.raises(BuildError) as caught:
        discover(["shop_that_is_not_there"])

    (found,) = caught.value.diagnostics
    assert found.code == "NX-B126"
    assert "No module named 'shop_that_is_not_there'" in found.message
    assert "on the import path?" in found.fixes[0]


def test_a_syntax_error_is_shown_where_it_is(write: Path) -> None:
    (write / "shop_typo.py").write_text("x = 1\ndef (:\n")

    with pytest.raises(BuildError) as caught:
        discover(["shop_typo"])

    (found,) = caught.value.diagnostics
    assert (Path(found.file).name, found.line) == ("shop_typo.py", 2)


def test_the_findings_of_all_modules_are_reported_together(write: Path) -> None:
    (write / "shop_one.py").write_text("1 / 0\n")
    (write / "shop_two.py").write_text("from nexum import Workflow\nempty = Workflow('Empty', input=int)\n")
    (write / "shop_three.py").write_text("from nexum import Workflow\nWorkflow('Void', input=int).build()\n")

    with pytest.raises(BuildError) as caught:
        discover(["shop_one", "shop_two", "shop_three"])

    assert [item.code for item in caught.value.diagnostics] == ["NX-B126", "NX-B127", "NX-B127"]
    assert caught.value.workflow == "shop_one, Empty, Void"


def test_two_workflows_may_not_have_one_name() -> None:
    class Claim(BaseModel):
        text: str

    def one(input: int) -> int:  # noqa: A002 (the name that binds to the run's input)
        return input

    def other(input: int) -> int:  # noqa: A002
        return input + 1

    first, second = Workflow("Same", input=int), Workflow("Same", input=int)
    first.compute()(one)
    second.compute()(other)

    with pytest.raises(NexumError) as caught:
        Registry([first.build(), second.build()])

    assert caught.value.code == "NX-B129"
    assert caught.value.exit_code == 65
