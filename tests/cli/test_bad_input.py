"""What people get wrong, and what is not there: each with a code, and a way to mend it."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres
from nexum.cli.commands import demo
from nexum.cli.commands.db import shown
from nexum.cli.given import read_input
from nexum.cli.main import run
from nexum.errors import NexumError
from nexum.testing.services import create_database, database_url
from shopfloor import BROKEN, CHANGED, Answer, Shop
from waiting import until

PUT = ("start", "Greeter")


def change(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def file(name: str, content: bytes) -> Callable[[Shop], None]:
    return lambda shop: (shop.folder / name).write_bytes(content) and None


def nothing(shop: Shop) -> None:
    return None


def older(shop: Shop) -> None:
    change(shop.database, "DELETE FROM django_migrations WHERE app = 'nexum' AND name LIKE '0004%'")


def newer(shop: Shop) -> None:
    change(
        shop.database, "INSERT INTO django_migrations (app, name, applied) VALUES ('nexum', '9999_later', '2030-01-01')"
    )


def pyproject(text: str) -> Callable[[Shop], None]:
    return lambda shop: (shop.folder / "pyproject.toml").write_text(text) and None


CASES = [
    # what is started
    ("no such workflow", nothing, ("start", "Greeterr", "-p", "name=x"), "NX-D201", 66),
    ("a field is missing", nothing, PUT, "NX-R101", 65),
    ("a field has the wrong type", nothing, (*PUT, "-p", "name=x", "-p", "amount=1.5"), "NX-R101", 65),
    ("the input is no object", nothing, (*PUT, "-i", "[1]"), "NX-R101", 65),
    ("not JSON", nothing, (*PUT, "-i", "{name: x}"), "NX-F112", 65),
    ("NaN is no JSON", nothing, (*PUT, "-i", '{"name": "x", "amount": NaN}'), "NX-F112", 65),
    ("half of a surrogate pair", nothing, (*PUT, "-i", r'{"name": "\ud800"}'), "NX-R102", 65),
    ("half of one in a field", nothing, (*PUT, "-p", r'name="\ud800"'), "NX-R102", 65),
    ("a byte that is no text", nothing, (*PUT, "-p", "name=\udcff"), "NX-R102", 65),
    ("nested without end", nothing, (*PUT, "-i", "[" * 100_000), "NX-F112", 65),
    ("a field nested without end", nothing, (*PUT, "-p", "name=" + "[" * 100_000), "NX-F112", 65),
    ("a subject that is no object's name", nothing, (*PUT, "-p", "name=x", "--subject", "foo"), "NX-R101", 65),
    ("a key that is too long", nothing, (*PUT, "-p", "name=x", "-k", "k" * 9_000), "NX-R101", 65),
    ("no value after the name", nothing, (*PUT, "-p", "name"), "NX-F112", 65),
    ("a field of what is no object", nothing, (*PUT, "-i", "[1]", "-p", "name=x"), "NX-F112", 65),
    ("a file that is not there", nothing, (*PUT, "-i", "@nowhere.json"), "NX-F113", 64),
    ("a file that is no text", file("b.json", b"\xff\xfe"), (*PUT, "-i", "@b.json"), "NX-F113", 64),
    ("no duration", nothing, (*PUT, "-p", "name=x", "--wait", "--timeout", "soon"), "NX-F114", 64),
    ("a timeout of no wait", nothing, (*PUT, "-p", "name=x", "--timeout", "5s"), "NX-F110", 64),
    ("a priority out of range", nothing, (*PUT, "-p", "name=x", "--priority", "10"), "NX-F110", 64),
    ("a NUL in the key", nothing, (*PUT, "-p", "name=x", "-k", "\udcff"), "NX-S107", 65),
    # which run
    ("no such run", nothing, ("show", "01a2b3c4"), "NX-R404", 66),
    ("no such key", nothing, ("why", "key:nope"), "NX-R404", 66),
    ("no run at all", nothing, ("show", "@last"), "NX-R404", 66),
    ("too short", nothing, ("show", "01a"), "NX-F111", 64),
    ("an unknown reference", nothing, ("show", "@newest"), "NX-F111", 64),
    ("a misspelt filter", nothing, ("list", "statsu:failed"), "NX-F115", 64),
    ("a filter on a payload", nothing, ("list", "input.n:3"), "NX-F115", 64),
    ("a misspelt status", nothing, ("list", "status:faild"), "NX-F115", 64),
    # the command line itself
    ("a misspelt command", nothing, ("strat", "Greeter"), "NX-F110", 64),
    ("a misspelt option", nothing, ("list", "--limti", "3"), "NX-F110", 64),
    ("an unknown code", nothing, ("explain", "NX-Z999"), "NX-F105", 66),
    # what is built and deployed
    ("a workflow that is not in the code", nothing, ("deploy", "Greter"), "NX-D205", 66),
    ("code that does not compile", lambda shop: shop.write(BROKEN), ("deploy",), "NX-B101", 65),
    ("code that does not import", lambda shop: shop.write("import nothing_like_it"), ("build",), "NX-B126", 65),
    ("code without a workflow", lambda shop: shop.write("x = 1"), ("build",), "NX-D204", 78),
    ("a place that cannot be written", file("taken", b""), ("build", "--out", "taken/below"), "NX-F120", 73),
    ("a worker of code that nobody deployed", lambda shop: shop.write(CHANGED), ("worker",), "NX-W201", 78),
    ("a worker of what is not there", nothing, ("worker", "--workflow", "Greter"), "NX-W202", 78),
    ("a worker of another version", nothing, ("worker", "--version", "ffff"), "NX-W202", 78),
    # the database and the settings
    ("an older database", older, ("list",), "NX-S111", 78),
    ("an older database under a worker", older, ("worker",), "NX-S111", 78),
    ("a newer database", newer, ("list",), "NX-S112", 78),
    ("no database yet", nothing, ("list", "--database", "sqlite:///none.sqlite3"), "NX-S110", 78),
    ("an address of nothing", nothing, ("list", "--database", "mysql://x/y"), "NX-S113", 78),
    ("a server that is not there", nothing, ("list", "--database", "postgresql://x@127.0.0.1:1/y"), "NX-S100", 69),
    ("a misspelt setting", pyproject("[tool.nexum]\nlease-secnds = 3\n"), ("list",), "NX-F101", 78),
    ("settings that are not there", nothing, ("build", "--settings", "shop.settings"), "NX-F104", 78),
    ("no TOML", pyproject("[tool.nexum\n"), ("list",), "NX-F103", 78),
    (
        "resetting a server",
        nothing,
        ("dev", "--reset", "--port", "1", "--database", "postgresql://x@h/y"),
        "NX-F110",
        64,
    ),
]


@pytest.mark.parametrize(("what", "spoil", "words", "code", "exits"), CASES, ids=[case[0] for case in CASES])
def test_bad_input_has_a_code_and_a_way_to_mend_it(
    deployed: Shop, what: str, spoil: Callable[[Shop], None], words: tuple[str, ...], code: str, exits: int
) -> None:
    spoil(deployed)

    said = deployed.nexum(*words, "--json")

    found = said.json["diagnostics"]
    assert (code, exits) == (found[0]["code"], said.code), said
    assert found[0]["fixes"]
    assert len(found[0]["message"].splitlines()[0]) < 400
    assert "Traceback" not in said.out + said.err


def test_fields_that_do_not_fit_are_data_in_the_json_answer(deployed: Shop) -> None:
    (found,) = deployed.nexum(*PUT, "-p", "name=7", "-p", "amount=much", "--json").json["diagnostics"]

    assert found["problems"] == [
        {"path": "$.name", "got": "7", "wanted": "a string"},
        {"path": "$.amount", "got": '"much"', "wanted": "a whole number"},
    ]


def test_a_file_that_is_not_json_is_not_mended_by_quotes(deployed: Shop) -> None:
    (deployed.folder / "in.json").write_text('{"name": x}')
    (found,) = deployed.nexum(*PUT, "-i", "@in.json", "--json").json["diagnostics"]

    assert "in.json is not JSON: Expecting value at line 1, column 10" in found["message"]
    assert [fix["text"] for fix in found["fixes"]] == ["correct in.json where the message says"]


def test_the_schema_of_an_input_is_where_the_error_says(deployed: Shop) -> None:
    (found,) = deployed.nexum(*PUT, "-p", "name=7", "--json").json["diagnostics"]
    built = deployed.nexum("build", "--json", "--check").json["workflows"]

    assert "`nexum build --json`" in found["fixes"][0]["text"]
    assert [(row["workflow_id"], row["input"]["properties"]["name"]["type"]) for row in built] == [
        ("Angry", "string"),
        ("Greeter", "string"),
    ]


@pytest.mark.parametrize("words", [("-i", "[" * 100_000), ("-p", "name=" + "[" * 100_000)])
def test_what_is_nested_too_deeply_is_not_mended_by_quotes(words: tuple[str, ...], deployed: Shop) -> None:
    (found,) = deployed.nexum(*PUT, *words, "--json").json["diagnostics"]

    assert "nested too deeply" in found["message"]
    assert [fix["text"] for fix in found["fixes"]] == ["make it flatter: a payload has at most 200 levels"]


def test_a_payload_that_is_too_large_is_refused_with_its_size(deployed: Shop) -> None:
    large = json.dumps({"name": "x" * 5_000})

    said = deployed.nexum(*PUT, "-i", "-", input=large, env={"NEXUM_MAX_PAYLOAD": "4KiB"})

    assert said.code == 65
    assert "error[NX-R103]: the input of Greeter has 5,011 bytes; at most 4,096 are allowed" in said.err


def test_bytes_on_standard_input_that_are_no_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"name": "\xff"}'), errors="surrogateescape"))

    with pytest.raises(NexumError, match="standard input cannot be read: it is not UTF-8") as caught:
        read_input("-", ())
    assert caught.value.code == "NX-F113"


def test_an_ambiguous_reference_lists_the_candidates(busy: Shop) -> None:
    ids = busy.nexum("list", "--ids").out.split()
    shared = ids[0][: next(i for i, (a, b) in enumerate(zip(*ids, strict=True)) if a != b)]

    said = busy.nexum("show", shared)

    assert said.code == 64
    assert "NX-F111" in said.err
    assert all(run_id in said.err for run_id in ids)


@pytest.mark.parametrize("how", ["whole", "beginning", "end", "key", "last", "last of a workflow"])
def test_a_run_is_found_by_what_people_have_at_hand(busy: Shop, how: str) -> None:
    newest, oldest = busy.nexum("list", "--ids").out.split()
    first = next(i for i, (a, b) in enumerate(zip(newest, oldest, strict=True)) if a != b)
    reference = {
        "whole": newest,
        "beginning": newest[: max(4, first + 1)],
        "end": newest[-8:],
        "key": "key:short",
        "last": "@last",
        "last of a workflow": "@last:Angry",
    }[how]

    assert busy.nexum("show", reference, "--json").json["run"]["run_id"] == newest


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts and never answers: a Redis that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in held:
                connection.close()


def test_a_start_does_not_wait_for_a_redis_that_hangs(deployed: Shop) -> None:
    with silent_server() as port:
        began = time.monotonic()
        said = deployed.nexum(*PUT, "-p", "name=x", env={"NEXUM_BROKER": f"redis://127.0.0.1:{port}/0"})
        took = time.monotonic() - began

    assert (said.code, said.err.count("error")) == (0, 0)
    assert took < 15, "the ring is left to a thread; the command gives it a second"


def test_the_doctor_says_that_a_redis_hangs(deployed: Shop) -> None:
    with silent_server() as port:
        said = deployed.nexum("doctor", "--json", env={"NEXUM_BROKER": f"redis://127.0.0.1:{port}/0"})

    assert [(c["level"], c["code"]) for c in said.json["checks"] if c["check"] == "broker"] == [("warn", "NX-Q205")]


def test_a_scheduler_that_comes_before_its_database_waits_and_says_so(
    shop: Shop, pg_server_url: str, worker_name: str
) -> None:
    made = fresh_postgres(pg_server_url, worker_name)
    name = f"late_{worker_name}"
    late = database_url(pg_server_url, name)
    try:
        with shop.running("scheduler", "--once", env={"NEXUM_DATABASE": late}) as waiting:
            until(lambda: "waiting for the database" in shop.log.read_text(), 30)
            create_database(pg_server_url, name, template=made.rpartition("/")[2])
            assert waiting.wait(30) == 0
    finally:
        drop_postgres(late, pg_server_url)
        drop_postgres(made, pg_server_url)


def test_an_empty_server_is_brought_up_to_date_and_used(shop: Shop, pg_server_url: str, worker_name: str) -> None:
    name = f"empty_{worker_name}"
    url = create_database(pg_server_url, name)
    env = {"NEXUM_DATABASE": url}
    try:
        before = shop.nexum("list", "--json", env=env)
        upgraded = shop.nexum("db", "upgrade", env=env)
        deployed = shop.nexum("deploy", env=env)
        started = shop.nexum(*PUT, "-p", "name=x", "--json", env=env)
        shown = shop.nexum("show", "@last", env=env)
    finally:
        drop_postgres(url, pg_server_url)

    assert (before.code, before.json["diagnostics"][0]["code"]) == (78, "NX-S110")
    assert (upgraded.code, deployed.code, started.code) == (0, 0, 0)
    assert started.json["run_id"] in shown.out


def test_a_password_is_never_printed(shop: Shop) -> None:
    said: Answer = shop.nexum("db", "upgrade", "--database", "postgresql://mika:secret@127.0.0.1:1/shop")

    assert said.code == 69
    assert "secret" not in said.out + said.err
    assert shown("postgresql://mika:secret@127.0.0.1:1/shop") == "postgresql://mika:***@127.0.0.1:1/shop"


def test_a_demo_that_is_not_here_is_no_silent_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MODULE", "examples.of_another_shop.demo")

    assert run(["demo"]) == 66
    assert "error[NX-F124]" in capsys.readouterr().err


def test_the_input_is_put_together_from_file_and_fields(deployed: Shop) -> None:
    (deployed.folder / "in.json").write_text('{"name": "x", "amount": 2}')

    said = deployed.nexum(*PUT, "-i", "@in.json", "-p", "amount=3", "-p", "name=Mika", "--json")

    shown = deployed.nexum("show", said.json["run_id"], "--json").json
    assert shown["input"]["value"] == {"amount": 3, "name": "Mika"}
