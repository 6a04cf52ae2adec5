"""Which Nexum a report is about: a version number says too little between two releases."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nexum

ROOT = Path(nexum.__file__).parents[1]


def revision() -> str:
    """The version, and where this is a checkout, its commit; `changed` when files differ from it."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return nexum.__version__
    command = [git, "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=, changed"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return f"{nexum.__version__} ({said})" if said else nexum.__version__
