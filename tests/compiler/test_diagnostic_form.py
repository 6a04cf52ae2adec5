"""The form of a diagnostic, character by character."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path

import pytest

from nexum.compiler.diagnostics import did_you_mean, render, render_all
from nexum.errors import BuildError, Diagnostic, NexumError

STAMP = Diagnostic(
    code="NX-B112",
    message="`datetime.now()` touches a clock in compute node `stamp`",
    file="shop/agents/refund.py",
    line=41,
    column=12,
    end_column=26,
    snippet="    return datetime.now()",
    why="a compute node may run again after a crash; a second run would give another time and the route already "
    "taken could no longer be explained.",
    fixes=("take the time that the engine recorded: `ctx.now`", "make it an input: `received_at: datetime`"),
)


def dedented(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_a_diagnostic_says_what_where_why_and_how_to_mend_it() -> None:
    assert render(STAMP) == dedented("""
        error[NX-B112]: `datetime.now()` touches a clock in compute node `stamp`
          --> shop/agents/refund.py:41:12
           |
        41 |     return datetime.now()
           |            ^^^^^^^^^^^^^^
           |
           = why: a compute node may run again after a crash; a second run would give another time and
                  the route already taken could no longer be explained.
           = fix: take the time that the engine recorded: `ctx.now`
                  or make it an input: `received_at: datetime`
           = more: nexum explain NX-B112
    """)


def test_a_diagnostic_without_a_place_keeps_its_reasons() -> None:
    assert render(Diagnostic("NX-B127", "`Agent` has no nodes", why="A run of it could do nothing.")) == dedented("""
        error[NX-B127]: `Agent` has no nodes
           = why: A run of it could do nothing.
           = more: nexum explain NX-B127
    """)


def test_the_gutter_grows_with_the_line_number() -> None:
    shown = render(Diagnostic("NX-B127", "x", file="a.py", line=12345, column=1, end_column=3, snippet="ab"))

    assert shown.splitlines()[1:5] == ["     --> a.py:12345:1", "      |", "12345 | ab", "      | ^^"]


def test_several_diagnostics_end_in_a_count() -> None:
    warning = Diagnostic("NX-B125", "y", severity="warning")

    shown = render_all([STAMP, warning])

    assert shown.startswith("error[NX-B112]")
    assert "\n\nwarning[NX-B125]: y" in shown
    assert shown.endswith("\n\n1 error, 1 warning")


def test_a_name_is_only_suggested_when_it_is_near() -> None:
    assert did_you_mean("amuont", ["amount", "order"]) == "; did you mean 'amount'?"
    assert did_you_mean("policy", ["amount", "order"]) == ""


AGENT = """\
from __future__ import annotations

from pydantic import BaseModel

from nexum import Workflow


class Claim(BaseModel):
    amount: int


agent = Workflow("Agent", input=Claim)


@agent.read()
def purchase(claim: Claim) -> int:
    return claim.amount


@agent.effect(tool="bank", when="purchase >", priority=99)
def refund(purchse: int) -> int:
    return purchse


agent.build()
"""


def test_a_build_shows_all_its_findings_under_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "agents.py"
    file.write_text(AGENT)
    spec = importlib.util.spec_from_file_location("shop_agents", file)
    assert spec is not None
    assert spec.loader is not None

    with pytest.raises(BuildError) as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    assert (
        caught.value.__notes__[0].strip("\n").splitlines()
        == dedented("""
        error[NX-B124]: `priority=99` of `refund` is not between -9 and 9
          --> agents.py:20:56
           |
        20 | @agent.effect(tool="bank", when="purchase >", priority=99)
           |                                                        ^^
           |
           = why: The engine would not know what to do with it.
           = fix: use a value such as the message names
           = more: nexum explain NX-B124

        error[NX-B101]: parameter `purchse` of `refund` names no node; did you mean 'purchase'?
          --> agents.py:21:12
           |
        21 | def refund(purchse: int) -> int:
           |            ^^^^^^^^^^^^
           |
           = why: A parameter's name says where its value comes from; a name that nobody gives would
                  never arrive.
           = fix: rename the parameter to `purchase`
                  or use a name that has a value here: input, purchase
                  or annotate it with the input model Claim, or with Context
           = more: nexum explain NX-B101

        error[NX-B113]: `when=` of `refund` cannot be read: the condition ends where something is missing
          --> agents.py:20:33
           |
        20 | @agent.effect(tool="bank", when="purchase >", priority=99)
           |                                 ^^^^^^^^^^^^
           |
           = why: it stops making sense at character 11: purchase >>>>
           = fix: write for example `verdict.score >= 80 && input.amount < 5000`
           = more: nexum explain NX-B113

        3 errors, 0 warnings
    """).splitlines()
    )


def test_a_build_error_in_one_text_keeps_findings_and_remedy_apart() -> None:
    found = Diagnostic(code="NX-B110", message="`amonut` is unknown; did you mean 'amount'?", file="shop.py", line=3)

    assert str(BuildError("Refund", (found, found))).splitlines()[1:] == [
        *2 * ("  [NX-B110] shop.py:3: `amonut` is unknown; did you mean 'amount'?",),
        "Fix: mend each finding; `nexum build` prints them with file, line and reason",
    ]


@pytest.mark.parametrize(
    ("message", "text"),
    [("it broke", "[NX-X100] it broke. Fix: mend it"), ("did it break?", "[NX-X100] did it break? Fix: mend it")],
)
def test_an_error_in_one_text_ends_its_sentence_once(message: str, text: str) -> None:
    assert str(NexumError(message, fixes=("mend it",))) == text
