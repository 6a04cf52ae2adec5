"""Tests leave no files behind: what they and their children put among the temporary files goes with them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from nexum.broker.local import bell_directory
from nexum.cli.exits import bug


def test_tracebacks_and_bells_of_tests_lie_in_a_folder_of_their_own(own_temporary_files: str) -> None:
    own = Path(own_temporary_files)
    told = bug(ZeroDivisionError("by nothing")).fixes[0]

    assert Path(told.rpartition(" ")[2]).parent == own
    assert bell_directory("sqlite:////shop.sqlite3").parent == own


def test_children_of_tests_put_theirs_there_too(own_temporary_files: str) -> None:
    code = "import tempfile; print(tempfile.gettempdir())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == own_temporary_files == tempfile.gettempdir()
