"""The fingerprint changes with the code and with nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nexum.compiler.fingerprint import fingerprint, why_not

PLAIN = '''
"""A module."""
from math import floor
LIMIT = 100
UNUSED = 1

def cut(amount: int) -> int:
    return min(amount, LIMIT)

def handler(amount: int) -> int:
    """Cut it."""
    share = floor(amount / 2)
    return cut(share) + 1
'''

TELLING = r"""
def handler(amount: int, width: int) -> str:
    match amount:
        case 0 | 1 as few if (left := width):
            return f"{few:>{width}}" "🫨⿼" f"{left!r:{width}.{width}f}{{}}"
        case _:
            return f"" f"{amount:}{amount = }" rf"{width:%d}\d" u"\u2ffc" + str(b"\xff") + str(1e3j)
"""


@pytest.fixture
def handler_of(tmp_path: Path) -> Callable[[str], Callable[..., Any]]:
    def load(text: str) -> Callable[..., Any]:
        count = len(list(tmp_path.iterdir()))
        found: Callable[..., Any] = module_of(tmp_path / f"specimen_{count}.py", text).handler
        return found

    return load


def module_of(file: Path, text: str) -> ModuleType:
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    """Cut it."""\n', ""),
        ("    share = floor(amount / 2)\n", "    # half of it\n\n    share   = floor(  amount/2 )\n"),
        ("def handler(amount: int) -> int:", "def handler(amount: float) -> float:"),
        ("share = floor", "share: int = floor"),
        ("LIMIT = 100", "LIMIT: int = 1_00"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("from math import floor", "from math import ceil, floor"),
        ('"""A module."""', ""),
    ],
    ids=["docstring", "layout", "annotation", "variable", "constant", "unused", "import", "module"],
)
def test_what_does_not_change_the_code_keeps_the_fingerprint(
    handler_of: Callable[[str], Callable[..., Any]], old: str, new: str
) -> None:
    assert old in PLAIN

    assert fingerprint(handler_of(PLAIN.replace(old, new))) == fingerprint(handler_of(PLAIN))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ 1", "+ 2"),
        ("LIMIT = 100", "LIMIT = 101"),
        ("min(amount, LIMIT)", "max(amount, LIMIT)"),
        ("from math import floor", "from math import ceil as floor"),
        ("LIMIT = 100", 'LIMIT = "100"'),
        ("amount / 2", "amount / 2.0"),
    ],
    ids=["handler", "constant", "helper", "import", "type", "float"],
)
def test_what_changes_the_code_changes_the_fingerprint(
    handler_of: Callable[[str], Callable[..., Any]], old: str, new: str
) -> None:
    assert old in PLAIN

    assert fingerprint(handler_of(PLAIN.replace(old, new))) != fingerprint(handler_of(PLAIN))


def test_the_fields_of_a_class_that_is_used_count(handler_of: Callable[[str], Callable[..., Any]]) -> None:
    text = "class Box:\n    size: int\n\ndef handler() -> object:\n    return Box()\n"

    assert fingerprint(handler_of(text)) != fingerprint(handler_of(text.replace("size: int", "size: str")))


def test_the_decorator_that_declares_the_node_does_not_count(
    handler_of: Callable[[str], Callable[..., Any]],
) -> None:
    text = "def step(n):\n    return lambda f: f\n\n@step({})\ndef handler() -> int:\n    return 1\n"
    one, two = handler_of(text.format(1)), handler_of(text.format(2))

    assert fingerprint(one) != fingerprint(two)
    assert fingerprint(one, declared_at=4) == fingerprint(two, declared_at=4)


def test_a_parameter_called_like_another_function_is_not_that_function(
    handler_of: Callable[[str], Callable[..., Any]],
) -> None:
    text = "def purchase() -> int:\n    return 1\n\ndef handler(purchase: int) -> int:\n    return purchase\n"

    assert fingerprint(handler_of(text)) == fingerprint(handler_of(text.replace("return 1", "return 2")))


@pytest.mark.parametrize(
    ("body", "covered"),
    [
        ("return x", True),
        ("return [x for y in ()]", True),
        ("return [x for x in ()]", False),
        ("x = 1\n    return x", False),
        ("global x\n    x = 1\n    return x", True),
        ("return (lambda x: x)(1)", False),
        ("return (lambda y=x: y)()", True),
        ("import x\n    return x", False),
        ("for x in ():\n        return x", False),
        ("def x():\n        return 1\n    return x", False),
        ("return [x for x in ()] + [x]", True),
        ("try:\n        return 1\n    except ValueError as x:\n        return x", False),
        ("y: x = 1\n    return y", False),
        ("def inner():\n        return x\n    return inner", True),
    ],
)
def test_only_what_python_looks_up_in_the_module_counts(
    handler_of: Callable[[str], Callable[..., Any]], body: str, covered: bool
) -> None:
    text = f"x = {{}}\n\ndef handler():\n    {body}\n"
    one, two = handler_of(text.format(1)), handler_of(text.format(2))

    assert (fingerprint(one) != fingerprint(two)) is covered


def test_another_process_gives_the_same_fingerprint(tmp_path: Path) -> None:
    here = fingerprint(module_of(tmp_path / "specimen.py", PLAIN).handler)
    program = (
        "import specimen; from nexum.compiler.fingerprint import fingerprint; print(fingerprint(specimen.handler))"
    )
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "PYTHONHASHSEED": "7"}

    there = subprocess.run([sys.executable, "-c", program], env=path, capture_output=True, text=True, check=True)

    assert there.stdout.strip() == here


def test_every_python_gives_the_same_fingerprint(handler_of: Callable[[str], Callable[..., Any]]) -> None:
    # Syntax trees differ in format widths (an empty text after them in 3.12), and `repr` in which characters it escapes.
    assert fingerprint(handler_of(TELLING)) == "sha256:fa0851eff141010c59dbfcf50657c07c66699be248ab3713bac2e838d6df8cd3"


def test_a_lambda_has_no_fingerprint() -> None:
    handler = lambda amount: amount  # noqa: E731

    assert fingerprint(handler) == ""
    assert why_not(handler) == "it is a lambda"


def test_a_closure_has_no_fingerprint() -> None:
    rate = 3

    def handler(amount: int) -> int:
        return amount * rate

    assert fingerprint(handler) == ""
    assert why_not(handler) == "it closes over rate"


def test_a_builtin_has_no_fingerprint() -> None:
    assert fingerprint(len) == ""
    assert "builtin_function" in why_not(len)


def test_code_without_source_has_no_fingerprint() -> None:
    scope: dict[str, Any] = {}
    exec("def handler() -> int: return 1", scope)

    assert why_not(scope["handler"]) == "its source is not at hand"
