"""What attacks the world besides the monkey: who freezes workers, cuts commits, empties the broker, restarts the database.

An attacker does its deed `wanted` times, `pause` seconds apart on average and by the seed's choice, and says how often it
has done it: an attack that was not carried out proves nothing.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from nexum.errors import UnavailableError
from nexum.testing.crash.world import FROZEN, World

LOOK_SECONDS = 0.05
PATIENCE = 60.0  # seconds in which there must be something to attack
LEASES = 3  # how long a frozen worker stands still
ENDS = (("fast", signal.SIGINT), ("immediate", signal.SIGQUIT), ("kill", signal.SIGKILL))


class Attacker(Protocol):
    """Attacks until it has done so as often as it was asked to."""

    wanted: int
    victims: Counter[str]

    def rampage(self) -> None:
        """Attack; returns when everything is done, or nothing is left to attack."""

    @property
    def done(self) -> int:
        """How often it has attacked."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """An effect that had been sent, and not yet recorded, when its process was stopped."""

    key: str
    token: int


@dataclass(slots=True)
class Freezer:
    """Stops a worker whole while a child of it stands between sending and recording, for three leases; then wakes it."""

    world: World
    wanted: int
    pause: float
    victims: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many children have stopped between sending and recording; each leaves a marker."""
        return len(list(self.world.folder.glob(f"{FROZEN}.*")))

    @property
    def frozen(self) -> list[Frozen]:
        """What those children held in their hands, as their markers say."""
        told = [json.loads(marker.read_text()) for marker in self.world.folder.glob(f"{FROZEN}.*")]
        return [Frozen(one["key"], one["token"]) for one in told]

    def rampage(self) -> None:
        """Wait until children stop by themselves, stop the rest of the worker, wait, wake it, again."""
        worker = self.world.processes["worker"]
        limit = time.monotonic() + PATIENCE
        while (worker.stopped() or self.done < self.wanted) and time.monotonic() < limit:
            if not worker.stopped():
                time.sleep(LOOK_SECONDS)
                continue
            time.sleep(self.pause)  # others may come to the same place
            worker.kill_group(signal.SIGSTOP)
            self.victims["worker"] += 1
            time.sleep(LEASES * self.world.scenario.lease)
            worker.kill_group(signal.SIGCONT)
            limit = time.monotonic() + PATIENCE
        time.sleep(LOOK_SECONDS)
        worker.kill_group(signal.SIGCONT)  # whoever left its marker a moment ago has stopped by now


@dataclass(slots=True)
class Cutter:
    """Cuts connections to PostgreSQL just after a commit, before its answer."""

    world: World
    seed: int
    wanted: int
    victims: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rng: random.Random = field(init=False)

    WORDS = (b"nexum_step", b"nexum_claim", b"nexum_record", b"COMMIT")  # the last is a start, a drain or a decision
    SHARE = 0.08  # of the commits are cut

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 (reproducible, not secret)

    @property
    def done(self) -> int:
        """How many answers were cut off."""
        assert self.world.line is not None
        return self.world.line.counts.cuts

    def rampage(self) -> None:
        """Cut until there were enough."""
        assert self.world.line is not None
        self.world.line.faults.cut = self._cuts
        done, limit = 0, time.monotonic() + PATIENCE
        while self.done < self.wanted and time.monotonic() < limit:
            if self.done > done:
                done, limit = self.done, time.monotonic() + PATIENCE
            time.sleep(LOOK_SECONDS)
        self.world.line.faults.cut = None

    def _cuts(self, piece: bytes) -> bool:
        word = next((word for word in self.WORDS if word in piece), None)
        if word is None or self._rng.random() >= self.SHARE:
            return False
        with self._lock:
            mine = self.victims[word.decode()]
            if self.victims.total() >= self.wanted or mine > self.wanted // 3:  # of each of the frequent kinds a third
                return False
            self.victims[word.decode()] += 1
        return True


@dataclass(slots=True)
class Flusher:
    """Makes Redis forget everything, every `pause` seconds."""

    world: World
    wanted: int
    pause: float
    victims: Counter[str] = field(default_factory=Counter)
    done: int = 0

    def rampage(self) -> None:
        """Flush, again and again."""
        for _ in range(self.wanted):
            time.sleep(self.pause)
            self._flush()
            self.done += 1
            self.victims["redis"] += 1

    def _flush(self) -> None:
        parts = urlsplit(self.world.broker)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as line:
            line.sendall(b"FLUSHALL\r\n")
            if line.recv(16) != b"+OK\r\n":
                raise UnavailableError("Redis did not forget", code="NX-F503")


@dataclass(slots=True)
class Restarter:
    """Ends PostgreSQL in its three ways in turn; the supervisor starts it again."""

    world: World
    seed: int
    wanted: int
    pause: float
    victims: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How often the server was ended."""
        return sum(self.victims.values())

    def rampage(self) -> None:
        """End the server, wait, end it another way."""
        rng = random.Random(self.seed)  # noqa: S311 (reproducible, not secret)
        for number in range(self.wanted):
            time.sleep(rng.uniform(5.0, max(5.0, 2 * self.pause - 5.0)))
            name, how = ENDS[number % len(ENDS)]
            limit = time.monotonic() + PATIENCE
            while not self.world.processes["postgres"].kill(how):
                if time.monotonic() > limit:
                    return
                time.sleep(LOOK_SECONDS)
            self.victims[name] += 1
