"""One attack: start runs over HTTP while the scenario's attacker rages, then wait until every run has ended."""

from __future__ import annotations

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from nexum.errors import UnavailableError
from nexum.store.api import Store
from nexum.store.judging import count_of_events, count_of_late, durations, statuses
from nexum.testing.crash.attackers import Attacker, Cutter, Flusher, Freezer, Frozen, Restarter
from nexum.testing.crash.clerk import Clerk, Hold
from nexum.testing.crash.judge import ENDED, Verdict, judge
from nexum.testing.crash.monkey import Monkey
from nexum.testing.crash.world import World

LANES = 8  # starts at a time
BUSY = 8  # runs under way while somebody attacks, at least, once all were started
DENSE = 0.6  # of the time of the attack the runs that were asked for are started in; then there are always a few
LOOK_SECONDS = 0.1
SUSPICION = "DuplicateEffectSuspected"
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attack led to: the verdict, the attacker, the doubts, and how long runs took (seconds).

    `calm` are the durations of the runs that were started and ended before the attack, where the scenario compares.
    """

    verdict: Verdict
    attacker: Attacker
    holds: tuple[Hold, ...]
    doubted: int
    decided: int
    suspected: int
    wanted: dict[str, str]
    recoveries: tuple[float, ...] = ()
    calm: tuple[float, ...] = ()
    attacked: tuple[float, ...] = ()

    @property
    def unexplained(self) -> int:
        """Doubts that nothing of what was done explains, and doubts that the clerk never saw."""
        explained = sum(hold.is_explained for hold in self.holds)
        return self.doubted - explained


@dataclass(slots=True)
class Attack:
    """`runs` runs against `kills` attacks; `pause` is the mean of seconds between two of them."""

    world: World
    store: Store
    runs: int
    kills: int
    pause: float
    seed: int
    wanted: dict[str, str] = field(default_factory=dict)

    def carry_out(self) -> Outcome:
        """Everything, to the verdict."""
        scenario = self.world.scenario
        attacker = self._attacker()
        clerk = Clerk(self.world, self.store, scenario.decides, scenario.settle)
        over = threading.Event()
        watchers = [threading.Thread(target=clerk.work, args=(over,), name="clerk")]
        if isinstance(attacker, Monkey):
            watchers.append(threading.Thread(target=attacker.watch, args=(over,), name="watch"))
        for watcher in watchers:
            watcher.start()
        try:
            calm = self._calm() if scenario.compares else ()
            before = set(self.wanted)
            self._rage(attacker)
        finally:
            over.set()
            for watcher in watchers:
                watcher.join()
        clerk.complete()
        frozen: list[Frozen] = attacker.frozen if isinstance(attacker, Freezer) else []
        attacked = durations(self.store, [run_id for run_id in self.wanted if run_id not in before])
        return Outcome(
            verdict=judge(self.store, self.world.ledger, self.wanted, frozen),
            attacker=attacker,
            holds=tuple(clerk.holds.values()),
            doubted=count_of_events(self.store, "EffectInDoubt"),
            decided=clerk.decided,
            suspected=count_of_events(self.store, SUSPICION) + count_of_late(self.store, SUSPICION),
            wanted=self.wanted,
            recoveries=tuple(sorted(attacker.recoveries)) if isinstance(attacker, Monkey) else (),
            calm=calm,
            attacked=tuple(sorted(attacked)),
        )

    def _attacker(self) -> Attacker:
        world, kills, pause, seed = self.world, self.kills, self.pause, self.seed
        match world.scenario.attacker:
            case "kill":
                return Monkey(world, self.store, seed, kills, pause)
            case "freeze":
                return Freezer(world, kills, pause)
            case "cut":
                return Cutter(world, seed, kills)
            case "flush":
                return Flusher(world, kills, pause)
            case "restart":
                return Restarter(world, seed, kills, pause)
            case other:
                raise ValueError(other)

    def _calm(self) -> tuple[float, ...]:
        """As many runs in as much time, and nobody attacks; those that wait for workers to come up do not count."""
        for _ in range(LANES):
            self._start_one(0.0)
        self._wait()
        warm = set(self.wanted)
        self._start_all(self.kills * self.pause)
        self._wait()
        calm = [run_id for run_id in self.wanted if run_id not in warm]
        say(f"{len(calm)} runs without an attack")
        return tuple(sorted(durations(self.store, calm)))

    def _wait(self) -> None:
        """Until every run has ended, or patience."""
        limit = time.monotonic() + self.world.scenario.grace
        while self._ended() < len(self.wanted) and time.monotonic() < limit:
            time.sleep(LOOK_SECONDS)

    def _rage(self, attacker: Attacker) -> None:
        """Start the runs while the attacker rages; where few are left before the last attack, start more.

        An attack that finds nothing to do would prove nothing.
        """
        rage = threading.Thread(target=attacker.rampage, name="attacker", daemon=True)
        rage.start()
        share = 1.0 if self.world.scenario.compares else DENSE
        self._start_all(self.kills * self.pause * share)
        say(f"{len(self.wanted)} runs started")
        limit, told, most = time.monotonic() + self.world.scenario.grace, time.monotonic(), 0
        while True:
            ended = self._ended()
            if (
                rage.is_alive() or ended > most
            ):  # as long as runs end, whoever waits for a person's decision is not late
                limit, most = time.monotonic() + self.world.scenario.grace, max(most, ended)
            if rage.is_alive():
                if ended > len(self.wanted) - BUSY:
                    self._start_one(0.0)
            elif ended == len(self.wanted) or time.monotonic() > limit:
                break
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                say(f"{attacker.done} of {attacker.wanted} attacks, {ended} of {len(self.wanted)} runs have ended")
            time.sleep(LOOK_SECONDS)
        rage.join()
        say(f"{attacker.done} attacks: {dict(attacker.victims)}; {ended} of {len(self.wanted)} runs have ended")

    def _ended(self) -> int:
        """How many have ended; none, as far as anybody can tell, while the database is away."""
        try:
            return sum(status in ENDED for status in statuses(self.store, list(self.wanted)).values())
        except UnavailableError:
            return 0

    def _start_all(self, length: float) -> None:
        """Start `runs` runs over about `length` seconds."""
        lanes = min(LANES, self.runs)
        first = len(self.wanted) + 1
        places = range(first, first + self.runs)
        with ThreadPoolExecutor(lanes) as pool:
            for order, run_id in pool.map(lambda place: self._started(place, length * lanes / self.runs), places):
                self.wanted[run_id] = order

    def _start_one(self, pause: float) -> None:
        order, run_id = self._started(len(self.wanted) + 1, pause)
        self.wanted[run_id] = order

    def _started(self, place: int, pause: float) -> tuple[str, str]:
        """Start one run after about `pause` seconds, asking again for as long as nobody answers; its order and its id."""
        order, workflows = f"order-{place}", self.world.scenario.workflows
        body = {"amount": 1000 + place, "workflow": workflows[place % len(workflows)]}
        time.sleep(pause * random.Random(place).uniform(0.5, 1.0))  # noqa: S311 (reproducible, not secret)
        while True:
            try:
                answer = httpx.post(f"{self.world.web_url}/orders/{order}", json=body, timeout=5)
            except httpx.TransportError:
                time.sleep(LOOK_SECONDS)
                continue
            if answer.status_code == 201:
                return order, str(answer.json()["run_id"])
            time.sleep(2 * LOOK_SECONDS)


def say(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
