"""A provider's own book: one line per executed act, on disk before anybody hears of it."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class KeyReusedError(Exception):
    """An idempotency key came back with another body."""


@dataclass(frozen=True, slots=True)
class Act:
    """One executed act. `n` counts from 1 over the whole ledger; `at` is microseconds since 1970 by the provider's clock."""

    n: int
    act: str
    id: str
    key: str
    at: int
    body: dict[str, Any]

    def line(self) -> bytes:
        """The act as a line of the ledger."""
        spelled = {"n": self.n, "act": self.act, "id": self.id, "key": self.key, "at": self.at, "body": self.body}
        return json.dumps(spelled, ensure_ascii=False).encode() + b"\n"


class Ledger:
    """Appends acts and finds them again by key; reads its file when it is opened, so that it survives its process.

    `dedupe=False` makes a provider without idempotency keys. `key_ttl` is how many seconds a key is honoured, 0 for ever.
    """

    def __init__(self, path: Path, *, dedupe: bool = True, key_ttl: float = 0.0) -> None:
        self._lock = threading.Lock()
        self.dedupe = dedupe
        self.key_ttl = key_ttl
        self.acts = _read(path)
        self._file = path.open("ab")
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)  # the new file's name, too, must survive a power cut
        os.close(directory)

    def honour(self, *, dedupe: bool | None = None, key_ttl: float | None = None) -> None:
        """Treat keys otherwise from now on; None leaves a rule as it is."""
        with self._lock:
            self.dedupe = self.dedupe if dedupe is None else bool(dedupe)
            self.key_ttl = self.key_ttl if key_ttl is None else float(key_ttl)

    def execute(
        self, act: str, prefix: str, key: str, body: dict[str, Any], *, honoured: bool = True
    ) -> tuple[Act, bool]:
        """Do it, unless the key is `honoured` and known; gives the act, and whether it was done just now.

        Raises `KeyReusedError` when the key is known with another body.
        """
        with self._lock:
            now = time.time_ns() // 1000
            known = self._known(act, key, now) if honoured else None
            if known is not None:
                if known.body != body:
                    raise KeyReusedError(key)
                return known, False
            count = sum(done.act == act for done in self.acts) + 1
            done = Act(len(self.acts) + 1, act, f"{prefix}_{count}", key, now, body)
            self._file.write(done.line())
            self._file.flush()
            os.fsync(self._file.fileno())
            self.acts.append(done)
            return done, True

    def _known(self, act: str, key: str, now: int) -> Act | None:
        if not key or not self.dedupe:
            return None
        found = [done for done in self.acts if done.key == key and done.act == act]
        latest = found[-1] if found else None
        ttl = self.key_ttl * 1_000_000
        return latest if latest and (not ttl or now - latest.at < ttl) else None


class Stored:
    """Keys whose answer is an error for ever: a provider that stores answers stores this one too, also over its death."""

    def __init__(self, path: Path) -> None:
        self._keys = set(path.read_text("utf-8").splitlines()) if path.exists() else set()
        self._file = path.open("a", encoding="utf-8")

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Remember it on disk."""
        self._keys.add(key)
        self._file.write(key + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _read(path: Path) -> list[Act]:
    """The acts of a ledger; a line that was torn by a crash is cut off, since nobody was told of it."""
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [Act(**json.loads(line)) for line in whole.splitlines()]
