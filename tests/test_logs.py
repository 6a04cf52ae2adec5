"""Log lines say which attempt they belong to."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from nexum.logs import JsonFormatter, TextFormatter, about, subject


def _record(text: str, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("shop", logging.WARNING, __file__, 1, text, None, None)
    vars(record).update(extra)
    return record


def test_a_line_is_one_json_object_with_the_subject_and_the_extras() -> None:
    with about(run="r1", node="refund"), about(attempt=2, key=""):
        line = JsonFormatter().format(_record("went\nwrong \x1b[31m", code="NX-W211"))
    assert "\n" not in line
    assert "\x1b" not in line
    read = json.loads(line)
    assert (read["run"], read["node"], read["attempt"], read["code"]) == ("r1", "refund", 2, "NX-W211")
    assert "key" not in read
    assert (read["text"], read["level"]) == ("went\nwrong \x1b[31m", "warning")


def test_a_traceback_is_a_field_of_its_line() -> None:
    try:
        raise ValueError("no such order")
    except ValueError:
        record = _record("failed", exc_info=sys.exc_info())
    read = json.loads(JsonFormatter().format(record))
    assert read["error"] == "ValueError"
    assert "no such order" in read["traceback"]


def test_coroutines_keep_their_subjects_apart() -> None:
    async def one(name: str) -> object:
        with about(run=name):
            await asyncio.sleep(0)
            return subject()["run"]

    async def both() -> list[object]:
        return await asyncio.gather(one("a"), one("b"))

    assert asyncio.run(both()) == ["a", "b"]
    assert subject() == {}


def test_the_line_for_people_escapes_control_characters() -> None:
    with about(run="01938f6e-7cc0-7000", node="refund"):
        line = TextFormatter().format(_record("a\x1b[2Jb"))
    assert line.endswith("e-7cc0-7000 refund a\\x1b[2Jb")
