"""Start a fake as a process of its own, talk to it, kill it, start it again on the same port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from nexum.errors import UnavailableError


@dataclass(slots=True)
class Fake:
    """A running fake. `options` are its command line options without the dashes."""

    name: str
    options: Mapping[str, str]
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        """The JSON at `path`; for looking into the fake from a test."""
        return httpx.get(self.url + path, timeout=10).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        """Send JSON to `path` (mostly `/rules`)."""
        return httpx.post(self.url + path, json=body, timeout=10).raise_for_status().json()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """End it: it goes when its standard input closes. Does nothing when it is gone."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        self._reap()

    def restart(self) -> None:
        """Kill it and start it again, same port, same files."""
        self.kill()
        again = start(self.name, **{**self.options, "port": str(self.port)})
        self.process = again.process

    def _reap(self) -> None:
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def start(name: str, **options: str) -> Fake:
    """Start `fakellm` or `fakepay`. Raises `UnavailableError` when it does not come up.

    The process ends when ours does, however ours ends: it holds the other end of a pipe.
    """
    given = {"port": "0", **options}
    flags = [word for key, value in given.items() for word in (f"--{key.replace('_', '-')}", value)]
    process = subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", f"nexum.testing.fakes.{name}", "--until-stdin-closes", *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise UnavailableError(f"{name} ended with exit code {process.returncode} before it listened")
    return Fake(name, options, process, int(json.loads(line)["port"]))


@contextmanager
def running(name: str, **options: str) -> Iterator[Fake]:
    """`start`, and stop at the end of the block."""
    fake = start(name, **options)
    try:
        yield fake
    finally:
        fake.stop()
