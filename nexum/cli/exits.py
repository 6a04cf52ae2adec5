"""The only door out: whatever a command does ends here, as an exit code of the table and a word on what happened."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType

import click

from nexum.errors import NexumError


class Exit(IntEnum):
    """Every exit code in use. 1 and 2 are verdicts on compatibility; no failure of ours or of Python's ever gives them.

    4 is kept for a replay that diverges.
    """

    DONE = 0
    BREAKING = 1
    CRITICAL = 2
    RUN_ENDED_BADLY = 3
    PROBLEM_FOUND = 5
    PRECONDITION = 6
    USAGE = 64
    DATA = 65
    NOT_FOUND = 66
    UNAVAILABLE = 69
    BUG = 70
    CANNOT_WRITE = 73
    GAVE_UP = 75
    NOT_PERMITTED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived; it unwinds like Ctrl-C does."""


def conclude(act: Callable[[], int], complain: Callable[[NexumError, int], None]) -> int:
    """Run `act` and give an exit code, whatever it does. `complain` says an error where the caller wants it said."""
    try:
        with _terminable():
            return int(act())
    except click.exceptions.Exit as left:
        return left.exit_code
    except NexumError as error:
        complain(error, error.exit_code)
        return error.exit_code
    except click.UsageError as error:
        return _misused(error, complain)
    except click.FileError as error:
        return _said(NexumError(error.format_message(), code="NX-F120"), complain)
    except click.ClickException as error:
        return _said(NexumError(error.format_message(), code="NX-F110"), complain)
    except (KeyboardInterrupt, click.Abort, EOFError):
        sys.stderr.write("\ninterrupted\n")
        return Exit.INTERRUPTED
    except Terminated:
        sys.stderr.write("terminated\n")
        return Exit.TERMINATED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (Python flushes it once more while it ends)
        return Exit.CANNOT_WRITE
    except BaseException as error:  # noqa: BLE001 (the last line: Python would exit 1, which is a verdict)
        return _said(bug(error), complain)


def bug(error: BaseException) -> NexumError:
    """What nobody expected, as an error that says where its traceback lies."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="nexum-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return NexumError(
        f"{type(error).__name__}: {error}", code="NX-X100", fixes=(f"report it with its traceback: {file.name}",)
    )


def _misused(error: click.UsageError, complain: Callable[[NexumError, int], None]) -> int:
    ways = (f"`{error.ctx.command_path} --help` says what it takes",) if error.ctx else ()
    return _said(NexumError(error.format_message().rstrip("."), code="NX-F110", fixes=ways), complain)


def _said(error: NexumError, complain: Callable[[NexumError, int], None]) -> int:
    complain(error, error.exit_code)
    return error.exit_code


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside, unless we are not the main thread, where signals cannot be handled."""
    try:
        before = signal.signal(signal.SIGTERM, _terminate)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
