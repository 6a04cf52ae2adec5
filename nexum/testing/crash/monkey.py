"""Who is killed, when; and how long what was held by the dead takes to move again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from nexum.store.api import Store
from nexum.testing.crash.world import World

WEIGHTS = {"child": 50, "worker": 15, "scheduler": 12, "web": 13, "redis": 10}
LOOK_SECONDS = 0.05  # how exactly recoveries are timed
BOOT_SECONDS = 15.0  # a worker that is still booting holds nothing; killing it would only look like an attack


@dataclass(slots=True)
class Monkey:
    """Sends `wanted` signals, one every `pause` seconds on average, by the seed's choice."""

    world: World
    store: Store
    seed: int
    wanted: int
    pause: float
    victims: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    _waiting: dict[str, tuple[int, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rampage(self) -> None:
        """Kill until all kills are done."""
        rng = random.Random(self.seed)  # noqa: S311 (reproducible, not secret)
        at = time.monotonic()
        for _ in range(self.wanted):
            at += rng.uniform(0.2, 1.8) * self.pause
            time.sleep(max(0.0, at - time.monotonic()))
            self._strike(rng)

    def watch(self, over: threading.Event) -> None:
        """Look again and again until it is over."""
        while not over.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Note which of the struck runs have moved on or ended since."""
        now = time.monotonic()
        with self._lock:
            for run_id, (seq, since) in list(self._waiting.items()):
                head = self.store.head(run_id)
                if head is not None and head.seq > seq:
                    self.recoveries.append(now - since)
                    del self._waiting[run_id]

    @property
    def done(self) -> int:
        """How many signals have reached a living process."""
        return sum(self.victims.values())

    def _strike(self, rng: random.Random) -> None:
        """One kill; where its victim is just dead, of whoever takes its place."""
        names = list(WEIGHTS)
        victim = rng.choices(names, [WEIGHTS[name] for name in names])[0]
        pick = rng.random()
        limit = time.monotonic() + BOOT_SECONDS
        while not self._kill(victim, pick):
            if time.monotonic() > limit:
                return
            time.sleep(LOOK_SECONDS)
        self.victims[victim] += 1

    def _kill(self, victim: str, pick: float) -> bool:
        """Send the signal; tells whether it reached a living process."""
        if victim not in ("child", "worker"):
            return self.world.processes[victim].kill()
        children = self._booted()
        if victim == "worker" or not children:
            self._note({*children})
            return self.world.processes["worker"].kill()
        dying = children[int(pick * len(children))]
        self._note({dying})
        try:
            os.kill(dying, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _booted(self) -> list[int]:
        """The worker's children that serve, once there are any."""
        worker = self.world.processes["worker"]
        until_ = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < until_:
            mine = set(worker.children())
            serving = sorted(row.pid for row in self.store.sessions() if row.pid in mine)
            if serving:
                return serving
            time.sleep(0.05)
        return []

    def _note(self, pids: set[int]) -> None:
        """Remember the runs whose tasks the dying processes hold."""
        now = time.monotonic()
        held = [
            claimed.key.run_id
            for row in self.store.sessions()
            if row.pid in pids
            for claimed in self.store.adopt(row.session)
        ]
        with self._lock:
            for run_id in held:
                head = self.store.head(run_id)
                if head is not None and run_id not in self._waiting:
                    self._waiting[run_id] = (head.seq, now)
