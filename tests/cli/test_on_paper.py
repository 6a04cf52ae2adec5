"""What people read, letter by letter: at the width of a terminal, at twice that, and through a pipe."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from nexum.cli.table import plain, rich
from shopfloor import BROKEN, CHANGED, Answer, Shop, masked

NARROW, WIDE = {"COLUMNS": "80"}, {"COLUMNS": "140"}


LIST_80 = """\
RUN       WORKFLOW  KEY          STANDING   NODE    TRIES  VERSION   STARTED
12345678  Angry     short        No worker  refuse  1      12345678  01-02 03:04
12345678  Greeter   order-1042…  No worker  greet   1      12345678  01-02 03:04
"""
LIST_140 = """\
RUN       WORKFLOW  KEY                                        STANDING   NODE    TRIES  VERSION   STARTED
12345678  Angry     short                                      No worker  refuse  1      12345678  2026-01-02 03:04:05+0000
12345678  Greeter   order-1042-of-a-customer-with-a-long-name  No worker  greet   1      12345678  2026-01-02 03:04:05+0000
"""


def test_a_list_gives_way_where_it_hurts_least(busy: Shop) -> None:
    narrow = busy.nexum("list", env=NARROW)
    wide = busy.nexum("list", env=WIDE)

    assert masked(narrow.out) == LIST_80
    assert masked(wide.out) == LIST_140
    assert masked(wide.err) == "2 of 2.   next: nexum why 12345678\n"
    assert busy.nexum("list").out == wide.out, "a pipe has no end"


def test_a_very_long_key_is_cut_in_a_table_and_whole_where_it_is_data(deployed: Shop) -> None:
    key = "k" * 200
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika", "-k", key).code == 0

    listed = deployed.nexum("list")

    assert f"{'k' * 79}…  " in listed.out
    assert max(map(len, listed.out.splitlines())) < 180
    assert deployed.nexum("list", "--json").json["runs"][0]["run_key"] == key


def test_the_versions_in_use_include_those_of_the_databases(shop: Shop) -> None:
    said = shop.nexum("--version").out

    assert re.search(r"^psycopg2 2\.\d+", said, re.MULTILINE)
    assert f"sqlite {sqlite3.sqlite_version}\n" in said


def test_the_list_of_commands_holds_whole_sentences(shop: Shop) -> None:
    for words in ((), ("db",), ("token",)):
        commands = shop.nexum(*words, "--help").out.partition("Commands:\n")[2]
        assert commands
        assert "..." not in commands


SHOW = """\
Greeter  run <an id of thirty-six characters.....>  RUNNING  on 12345678
  key order-1042-of-a-customer-with-a-long-name   started 2026-01-02 03:04:05+0000
No worker: `greet` waits, but no live worker runs version 12345678 of Greeter.
  since    2026-01-02 03:04:05+0000
  who      whoever runs the workers
  more     nexum explain NX-W203
Next:  nexum worker --workflow Greeter

NODE   KIND     STATE  TRIES  TOOK   NOTE
greet  compute  Ready  1/3    0.0 s

SEQ  AT                        EVENT          NODE   WHAT
1    2026-01-02 03:04:05+0000  RunStarted     -      Greeter started with key order-1042-of-a-customer-with-a-long-name
2    2026-01-02 03:04:05+0000  NodeScheduled  greet  compute scheduled
"""


def test_a_run_is_shown_with_the_way_on(deployed: Shop) -> None:
    key = "order-1042-of-a-customer-with-a-long-name"
    assert deployed.nexum("start", "Greeter", "-p", "name=Mika", "-k", key).code == 0

    shown = deployed.nexum("show", "@last:Greeter", "--utc")
    why = deployed.nexum("why", "@last:Greeter", "--utc")

    assert masked(shown.out) == SHOW
    assert masked(why.out) == "".join(line + "\n" for line in SHOW.splitlines()[2:7])


def test_a_refused_deploy_says_what_its_exit_code_means(busy: Shop) -> None:
    (busy.folder / "changed.py").write_text(CHANGED)

    said = busy.nexum("deploy", "Greeter", env={"NEXUM_WORKFLOWS": "changed"})

    assert said.code == 1
    assert masked(said.out).splitlines() == [
        "Greeter  12345678 -> 12345678  BREAKING",
        "  1 run       stay on 12345678 until they end; none is moved",
        "Exit 1: BREAKING, needs --approve-parallel.",
    ]


WRONG_INPUT = """\
error[NX-R101]: the input does not fit Greeter
   $.amount  got "much", wanted a whole number
   $.name    got nothing, wanted a string
   = why: A run that starts with a wrong input would fail later, after effects were made.
   = fix: correct the fields that are named; `nexum build --json` has the schema
   = more: nexum explain NX-R101
"""


def test_a_wrong_input_is_told_field_by_field(deployed: Shop) -> None:
    said = deployed.nexum("start", "Greeter", "-p", "amount=much")

    assert (said.code, said.out) == (65, "")
    assert sorted(said.err.splitlines()) == sorted(WRONG_INPUT.splitlines())


def test_a_build_error_points_at_the_line(shop: Shop) -> None:
    shop.write(BROKEN)

    said = shop.nexum("build")

    assert (said.code, said.out) == (65, "")
    assert said.err.startswith("error[NX-B101]: parameter `nobody` of `greet` names no node")
    assert "--> shop_agents.py:26:11" in said.err
    assert "def greet(nobody: Text) -> Text:\n   |           ^^^^^^^^^^^^\n" in said.err
    assert said.err.endswith("1 error, 0 warnings\n")


def test_a_check_says_one_line_and_writes_nothing(shop: Shop) -> None:
    said = shop.nexum("build", "--check")

    assert (said.code, said.out, said.err) == (0, "OK: 2 workflows compiled, nothing written\n", "")
    assert not (shop.folder / ".nexum").exists()


def test_a_check_of_what_does_not_compile_ends_with_65_and_the_findings(shop: Shop) -> None:
    shop.write(BROKEN)

    said, spelled = shop.nexum("build", "--check"), shop.nexum("build", "--check", "--json")

    assert (said.code, said.out, spelled.code) == (65, "", 65)
    assert said.err.startswith("error[NX-B101]")
    assert [found["code"] for found in spelled.json["diagnostics"]] == ["NX-B101"]
    assert not (shop.folder / ".nexum").exists()


def test_colour_says_nothing_that_words_do_not_say(busy: Shop) -> None:
    bare = busy.nexum("list", env=WIDE)
    colored = busy.nexum("list", "--color", "always", env=WIDE)
    silenced = busy.nexum("list", env={**WIDE, "NO_COLOR": "1", "FORCE_COLOR": "1"})

    assert "\x1b[" in colored.out
    assert "\x1b" not in bare.out + silenced.out
    assert _uncolored(colored.out) == bare.out


def _uncolored(text: str) -> str:
    plain_text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "".join(f"{line.rstrip()}\n" for line in plain_text.splitlines())


def test_a_table_counts_columns_of_japanese_as_a_terminal_does() -> None:
    rows = [("返金", "x"), ("ab", "\x1b[31mred\n")]

    drawn = plain(("NAME", "WHAT"), rows, 80)

    assert drawn == "NAME  WHAT\n返金  x\nab     [31mred\n"
    assert "\x1b[31mred" not in rich(("NAME", "WHAT"), rows, 80)


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (("build",), "nexum.build/1"),
        (("deploy", "--dry-run"), "nexum.deploy/1"),
        (("start", "Angry", "-p", "name=Mika", "-k", "short"), "nexum.start/1"),
        (("list",), "nexum.runs/1"),
        (("show", "@last"), "nexum.run/1"),
        (("show", "@last", "--events"), "nexum.events/1"),
        (("show", "@last:Greeter", "--node", "greet"), "nexum.node/1"),
        (("why", "@last"), "nexum.why/1"),
        (("db", "status"), "nexum.db-status/1"),
        (("db", "upgrade"), "nexum.db-upgrade/1"),
        (("doctor",), "nexum.doctor/1"),
        (("explain",), "nexum.error-entries/1"),
        (("explain", "R404"), "nexum.error-entry/1"),
        (("why", "ffffffff"), "nexum.error/1"),
        (("bogus",), "nexum.error/1"),
        (("list", "statsu:x"), "nexum.error/1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_is_one_document_that_names_its_schema_and_its_exit_code(
    busy: Shop, words: tuple[str, ...], schema: str
) -> None:
    said = busy.nexum(*words, "--json")

    document = json.loads(said.out)
    assert document["schema"] == schema
    assert document["exit_code"] == said.code
    assert document["nexum"]
    assert isinstance(document["diagnostics"], list)
    assert said.err == ""


def test_a_failed_build_says_the_same_as_json(shop: Shop) -> None:
    shop.write(BROKEN)

    said: Answer = shop.nexum("build", "--json")

    (found,) = said.json["diagnostics"]
    assert (said.code, said.json["schema"], said.err) == (65, "nexum.build/1", "")
    assert (found["code"], found["line"], found["column"]) == ("NX-B101", 26, 11)
    assert found["fixes"]
    assert found["docs"] == "nexum explain NX-B101"


def test_what_a_module_prints_is_not_part_of_the_answer(shop: Shop) -> None:
    shop.write(shop.agents.read_text() + "\nprint('hello from a module')\n")

    said = shop.nexum("build", "--json")

    assert said.json["exit_code"] == 0
    assert "hello from a module" in said.err
