"""The example shop as its people run it: `manage.py` and Python, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleet import ROOMS, ROOT

SHOP = ROOT / "examples" / "shop"


class ShopProject:
    """The example, or a copy of it in `code`, on a database of its own, with a broker or without one."""

    def __init__(self, folder: Path, database: str, *, broker: str = "", payments: str = "", code: Path = SHOP) -> None:
        self.folder = folder
        self.code = code
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUM_", "DJANGO_"))}
        self.env = {
            **kept,
            "PYTHONPATH": os.pathsep.join(ROOMS[:-1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHOP_DATABASE_URL": database,
            "SHOP_BROKER_URL": broker,
            "PAYMENTS_URL": payments,
        }

    def manage(self, *words: str, code: int = 0) -> str:
        """Run a management command that must end with this exit code; gives what it printed on both channels."""
        done = self._run("manage.py", *words)
        assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def python(self, code: str) -> Any:
        """Run code inside the project; gives the JSON that it printed last."""
        done = self._run("-c", f"import django; django.setup()\n{code}")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def running(self, *words: str) -> Iterator[Path]:
        """A management command that keeps running in the block; gives the file of what it says."""
        said = self.folder / f"{words[-1]}.txt"
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *words], cwd=self.code, env=self.env, stdout=out, stderr=out
            )
        try:
            yield said
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**self.env, "DJANGO_SETTINGS_MODULE": "shopsite.settings"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.code, env=env, capture_output=True, text=True, check=False, timeout=100)
