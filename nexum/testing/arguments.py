"""Command lines of the repository's own modules: what is not understood ends with 64, as it does in `nexum`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

USAGE = 64  # argparse's own 2 is a verdict of `nexum`, see `nexum.cli.exits.Exit`


class Arguments(argparse.ArgumentParser):
    """As argparse's, with our exit code and without its abbreviations of options."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        super().__init__(prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in a sentence, and how to learn more."""
        self.exit(USAGE, f"{self.prog}: {message}\n{self.prog} --help says what it takes\n")


def at_least(least: int) -> Callable[[str], int]:
    """A whole number from `least` on, as the `type` of an argument."""

    def number(given: str) -> int:
        try:
            found = int(given)
        except ValueError:
            found = least - 1
        if found < least:
            raise argparse.ArgumentTypeError(f"{given!r} is no whole number from {least} on")
        return found

    return number
