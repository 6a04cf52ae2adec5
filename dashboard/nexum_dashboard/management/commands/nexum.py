"""`manage.py nexum ...`: the same commands, options and exit codes as `nexum ...`."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand

COMMAND_LINE = "nexum.cli.main"  # it stands above this room and is named, not imported


class Command(BaseCommand):
    """Hands its words to the command line; Django's own parser would exit 2, which is a verdict."""

    help = "Nexum's command line; `manage.py nexum --help` lists its commands."

    def run_from_argv(self, argv: list[str]) -> None:
        """Run one command and end the process with its exit code."""
        sys.exit(_run(argv[2:]))

    def add_arguments(self, parser: ArgumentParser) -> None:
        """For `call_command("nexum", "deploy", "--quiet")`: every word goes on as it is."""
        parser.add_argument("words", nargs=REMAINDER)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one command; raises `SystemExit` with its exit code unless that is 0."""
        code = _run(options["words"])
        if code:
            raise SystemExit(code)


def _run(words: list[str]) -> int:
    code: int = import_module(COMMAND_LINE).run(words, prog="manage.py nexum")
    return code
