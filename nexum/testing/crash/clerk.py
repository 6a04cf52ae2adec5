"""A scripted operator: sees every doubt, asks what explains it, looks it up in the provider's books, and decides the truth."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from nexum.client.doubts import Decision, list_doubts, resolve
from nexum.core.run.codec import decode
from nexum.core.run.events import Cell, EffectInDoubt
from nexum.errors import NexumError
from nexum.readouts.run import read_run
from nexum.store.api import Store
from nexum.store.doubts import DoubtRow, doubts, effect_of
from nexum.store.verbs import Verbs
from nexum.testing.crash.world import World

LOOK_SECONDS = 0.2
OVERTAKEN = "settled while we looked"
PROVEN = ("ended", "expired")  # what an event of a doubt knows of a sender that died
BOOKS = {"pay.refund": "/refunds", "mail.send": "/mails"}


@dataclass(slots=True)
class Hold:
    """A doubt as the clerk saw it first.

    `standing` is what `nexum why` says (or that it was settled before we could ask), `evidence` what the run's event says.
    `session` and `proof` name the process that held the effect and how it ended ("" while it lives); `modes` is how the
    provider mistreated requests under this key.
    """

    key: str
    run_id: str
    place: str
    since: float
    standing: str
    evidence: str
    session: str = ""
    proof: str = ""
    modes: tuple[str, ...] = ()
    outcome: str = ""

    @property
    def is_explained(self) -> bool:
        """Whether the standing and the evidence name what was done: a process that died, or a request that was spoilt."""
        named = self.standing in ("in_doubt", OVERTAKEN) and bool(self.evidence)
        return named and bool(("died" in self.evidence and self.proof) or self.modes)


@dataclass(slots=True)
class Clerk:
    """Watches the doubts of a world; with `decides`, settles each after `settle` seconds."""

    world: World
    store: Store
    decides: bool
    settle: float
    holds: dict[tuple[str, str, int], Hold] = field(default_factory=dict)
    decided: int = 0

    def work(self, over: threading.Event) -> None:
        """Look again and again until it is over."""
        while not over.wait(LOOK_SECONDS):
            try:
                self.look()
            except NexumError:  # the database is away, or the answer arrived while we decided
                continue

    def look(self) -> None:
        """Note what is new, decide what is ripe. Raises what the store and `resolve` raise."""
        assert isinstance(self.store, Verbs)
        for row in list_doubts(self.store):
            hold = self.holds.get((row.run_id, row.path, row.attempt))
            if hold is None:
                self.holds[row.run_id, row.path, row.attempt] = self._noted(row)
            elif self.decides and time.monotonic() - hold.since >= self.settle:
                self._decide(row, hold)

    def _noted(self, row: DoubtRow) -> Hold:
        assert isinstance(self.store, Verbs)
        found = read_run(self.store, row.run_id, may_read=False)
        standing = found.run.standing.code if found is not None else ""
        if standing != "in_doubt" and not any(row[3:7] == each[3:7] for each in doubts(self.store, run_id=row.run_id)):
            standing = OVERTAKEN
        hold = Hold(row.key, row.run_id, row.path, time.monotonic(), standing, "")
        _, claimer = effect_of(self.store, row.key) or (row, None)
        hold.session, hold.proof = (claimer.session, claimer.proof) if claimer is not None else ("", "")
        self._read(hold, row.attempt)
        asked: list[dict[str, Any]] = self.world.provider.get(f"/requests?key={row.key}")
        hold.modes = tuple(request["mode"] for request in asked if request["mode"])
        return hold

    def complete(self) -> None:
        """Read once more what was not told yet: a doubt is known a moment before its run has folded it."""
        for (_run, _path, attempt), hold in self.holds.items():
            if not hold.evidence:
                self._read(hold, attempt)

    def _read(self, hold: Hold, attempt: int) -> None:
        """What the run says of the doubt about this attempt, and what it had proven of the sender.

        Where the doubt was settled before we looked, the effect names whoever has sent it since: then the event must do.
        """
        for event in self.store.events_after(hold.run_id, 0):
            if event.type == "EffectInDoubt" and event.path == hold.place:
                body = decode(event.type, Cell(event.path, event.visit, event.item), event.body)
                assert isinstance(body, EffectInDoubt)
                if body.attempt == attempt:
                    hold.evidence = body.evidence
                    if hold.standing == OVERTAKEN and body.proof in PROVEN:
                        hold.proof = hold.proof or f"event {event.seq}: {body.proof}"

    def _decide(self, row: DoubtRow, hold: Hold) -> None:
        """Whatever the provider's list says is true by now: nobody's request lives longer than we have waited."""
        booked = self.world.provider.get(f"{BOOKS[row.tool]}?key={row.key}")
        hold.outcome = "happened" if booked else "did_not_happen"
        truth: dict[str, Any] = {"reference": booked[0]["id"], "response": {"id": booked[0]["id"]}} if booked else {}
        reason = f"{len(booked)} acts under this key in the provider's list"
        cell = Cell(row.path, row.visit, row.item)
        resolve(self.store, Decision(row.run_id, cell, hold.outcome, "clerk", reason, **truth))
        self.decided += 1
