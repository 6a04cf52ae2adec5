"""Structured logs: one JSON object a line, with the run, node and attempt it belongs to.

What is being executed is kept in a context variable, so that every line a handler or one of its libraries writes carries
the run's name, in threads of the same context and in coroutines alike. Control characters are escaped by JSON itself, so
that a payload cannot forge a line or speak to a terminal.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
Subject = Callable[[], Mapping[str, Any]]
_subjects: ContextVar[tuple[Subject, ...]] = ContextVar("nexum_log_subjects", default=())

MAX_TEXT = 16_384  # characters of one message or traceback


class about:  # noqa: N801 (used as the function that it looks like)
    """Give every line logged inside these fields: run, workflow, version, node, visit, attempt, key, trace, ...

    Fields are given by name, or by a function that is called when a line is written: most attempts write none.
    """

    __slots__ = ("_subject", "_token")

    def __init__(self, subject: Subject | None = None, **fields: Any) -> None:
        self._subject = subject or (lambda: fields)

    def __enter__(self) -> None:
        self._token = _subjects.set((*_subjects.get(), self._subject))

    def __exit__(self, *_: object) -> None:
        _subjects.reset(self._token)


def subject() -> dict[str, Any]:
    """The fields that lines logged now would carry; inner ones win, empty ones are left out."""
    return {name: value for told in _subjects.get() for name, value in told().items() if value not in ("", None)}


class JsonFormatter(logging.Formatter):
    """One line of JSON: `at`, `level`, `logger`, `text`, the subject's fields, and what was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage()[:MAX_TEXT],
            **subject(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-MAX_TEXT:]
        return json.dumps(line, ensure_ascii=True, default=str)


class TextFormatter(logging.Formatter):
    """A line for a person at a terminal: time, level, run and node when there are any, text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, followed by the traceback if there is one."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        now = subject()
        where = " ".join(str(now[name])[-12:] for name in ("run", "node") if name in now)
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in record.getMessage()[:MAX_TEXT])
        line = f"{at} {record.levelname.lower():<7} {where + ' ' if where else ''}{text}"
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return line


def configure(level: int = logging.INFO, *, as_json: bool = True) -> None:
    """Send the process's log lines to standard error; replaces the root logger's handlers."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
