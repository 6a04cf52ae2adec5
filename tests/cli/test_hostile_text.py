"""What was stored, by a handler or a person, steers no terminal: it is shown with its escapes."""

from __future__ import annotations

import json

import pytest

from databases import fresh_sqlite
from nexum.cli.answer import Paper, print_json
from nexum.cli.main import run
from nexum.cli.verb import Choices
from nexum.store.connect import open_store
from nexum.testing.samples import CLAIM, REFUND, Clock, Stage, fails, refund_graph

TITLE = "\x1b]0;owned\x07"  # which names the window
HIDDEN = "\x1b[8mnot seen\x1b[0m"
TURNED = "\u202etxt.exe\u2066"
HOSTILE = f"no card {TITLE}{HIDDEN}{TURNED}\x9b2J\x08"
STEERING = {"\x1b", "\x07", "\x08", "\x9b", "\u202e", "\u2066"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A database and its run, whose handler failed with such a message."""
    url, clock = fresh_sqlite(tmp_path_factory.mktemp("hostile")), Clock(1_790_000_000_000_000)
    store = open_store(url, clock=clock)
    stage = Stage(store, clock)
    stage.register(refund_graph())
    run_id = stage.begin("RefundAgent", CLAIM, name="hostile", key="hostile")
    stage.play(refund_graph().queue, {**REFUND, "refund": [fails("NX-R210", HOSTILE, retryable=False)]})
    store.close()
    return url, run_id


@pytest.mark.parametrize("color", ["never", "always"])
@pytest.mark.parametrize("words", [("why", "{run}"), ("show", "{run}"), ("dlq", "show", "{group}"), ("dlq", "list")])
def test_no_answer_steers_the_terminal(
    place: tuple[str, str],
    words: tuple[str, ...],
    color: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, run_id = place
    monkeypatch.setenv("COLUMNS", "300")
    run(["dlq", "list", "--json", "--database", url])
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    given = [word.format(run=run_id, group=group["fingerprint"]) for word in words]
    code = run([*given, "--color", color, "--database", url])
    said = capsys.readouterr()
    shown = said.out + said.err

    assert code == 0
    assert "owned" in shown, "what is not shown is not made safe"
    assert TITLE not in shown
    assert HIDDEN not in shown
    assert not (STEERING - {"\x1b"}) & set(shown)
    assert color == "always" or "\x1b" not in shown


def test_a_reason_steers_no_terminal_and_no_error_does(
    place: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = place
    run(["breaker", "open", "pay", "--reason", HOSTILE, "--database", url])
    run(["breaker", "list", "--database", url])
    run(["show", f"key:{HOSTILE}", "--database", url])
    said = capsys.readouterr()

    assert not STEERING & set(said.out + said.err)


def test_lines_letters_of_every_script_and_joined_emoji_stay(capsys: pytest.CaptureFixture[str]) -> None:
    text = "返金\u3000しました\tok\n  \U0001f468\u200d\U0001f469 \u0645\u06cc\u200c"
    Paper(Choices()).line(text)
    Paper(Choices(color="always")).line(" red", lead="so\x1b", fg="red")

    assert capsys.readouterr().out == f"{text}\n\x1b[31mso\\x1b\x1b[0m red\n"


def test_json_keeps_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"message": HOSTILE + "\U000e0041", "key": "返金\u3000"}
    print_json(told)
    text = capsys.readouterr().out

    assert json.loads(text) == told
    assert not (STEERING | {"\U000e0041"}) & set(text)
    assert "返金" in text
