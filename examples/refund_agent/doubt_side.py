"""The second act: a provider that honours no keys. One effect in doubt is asked about, one is held for a person.

The process that sends is killed after the provider acted and before the answer was recorded, once for each of the two
effects. What happens is told while it happens, from the run's own events; the person uses the command line, as one would.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from examples.refund_agent.cases import ROOT
from examples.refund_agent.contest import world
from examples.refund_agent.goodwill import SETTLE, Gesture, goodwill_agent
from examples.refund_agent.killing import Victim
from examples.refund_agent.nexum_side import environment, opened, room
from nexum.client.runs import RunHandle
from nexum.core.run.codec import decode
from nexum.core.run.events import Body, Cell, DoubtResolved, EffectInDoubt, NodeCompleted, NodeScheduled
from nexum.core.run.state import Phase
from nexum.store.api import EventRow, Store

Say = Callable[[str], None]

GESTURE = Gesture(order_id="1042", amount=5_00, to="mika@example.com")
PATIENCE = 40.0  # seconds for all of it; it needs about six
SENDERS = ("voucher", "letter")
ACTS = ["refund", "mail"]
RESOLVED = [("voucher", "reconcile"), ("letter", "person")]


def run_doubts(folder: Path, say: Say) -> list[str]:
    """Play the act; gives what was wrong with it, nothing when all was right."""
    folder.mkdir(parents=True, exist_ok=True)
    points = ";".join(f"effect.after_response:node={node},file={folder / node}" for node in SENDERS)
    with world(folder) as here:
        database = f"sqlite:///{folder.absolute() / 'nexum.sqlite3'}"
        env = environment(database, here, workflows="examples.refund_agent.goodwill")
        scheduler = Victim((sys.executable, "-m", "nexum", "scheduler"), env, room(folder, "scheduler"), "")
        # in a room of its own, so that the supervisor sees no marker: here a process dies, and its parent sees it die
        worker = Victim((sys.executable, "-m", "nexum", "worker"), env, room(folder, "worker"), points)
        with opened(env, goodwill_agent.graph) as connection, scheduler, worker:
            run = goodwill_agent.start(GESTURE, connection=connection)
            story = _Story(connection.store, run, say)
            if story.goes_on_until(lambda: story.held == "letter"):
                posted = here.pay.get("/ledger")[-1]
                _a_person_decides(run, posted["id"], env, say)
                story.goes_on_until(lambda: Phase(run.status()).is_ended)
            ended = run.status()
        return faults(ended, [act["act"] for act in here.pay.get("/ledger")], story.resolved)


class _Story:
    """A run, told from its events; times are seconds since it was started."""

    def __init__(self, store: Store, run: RunHandle, say: Say) -> None:
        self._store, self._run, self._say = store, run, say
        self._seq, self._from = 0, 0
        self._until = time.monotonic() + PATIENCE
        self.held = ""  # the effect that waits for a person
        self.resolved: list[tuple[str, str]] = []

    def goes_on_until(self, there: Callable[[], bool]) -> bool:
        """Tell what happens until then; False when patience ends first."""
        while time.monotonic() < self._until:
            for row in self._store.events_after(self._run.run_id, self._seq):
                self._seq, self._from = row.seq, self._from or row.at
                self._tell(row, decode(row.type, Cell(row.path, row.visit, row.item), row.body))
            if there():
                return True
            time.sleep(0.05)
        return False

    def _tell(self, row: EventRow, body: Body) -> None:
        name, _, inner = row.path.partition("/")
        match body:
            case EffectInDoubt():
                self.held = name
                self._line(row, f"[bold]{name}[/] is in doubt: its process was killed after the provider had acted")
            case NodeScheduled() if inner:
                wait = (body.not_before - row.at) / 1e6
                self.held = ""
                self._line(row, f"  settle time {SETTLE.total_seconds():g} s: asks the provider in {wait:.1f} s")
            case NodeCompleted() if inner:
                self._line(row, f"  asked the provider with the effect's key: {body.answer.replace('_', ' ')}")
            case DoubtResolved():
                self.resolved.append((name, body.by))
                said = f"{body.outcome} ({body.reference}), recorded; nothing is sent again"
                self._line(row, f"  resolved by {row.actor if body.by == 'person' else body.by}: {said}")

    def _line(self, row: EventRow, said: str) -> None:
        self._say(f"{(row.at - self._from) / 1e6:6.1f} s  {said}")


def _a_person_decides(run: RunHandle, posted: str, env: Mapping[str, str], say: Say) -> None:
    """What somebody does who has looked at the printing house's list: three commands, shown with what they answer."""
    effect = f"{run.run_id}/letter"
    found = json.dumps({"id": posted})
    reason = f"{posted} stands in the list of the printing house"
    for words in (
        ("in-doubt", "list"),
        ("in-doubt", "resolve", effect, "--as", "happened", "--response", found, "--reason", reason, "--actor", "rei"),
    ):
        say(f"\n[bold]$ nexum {escape(shlex.join(words))}[/]")
        done = subprocess.run(
            [sys.executable, "-m", "nexum", *words],
            env={**os.environ, **env, "COLUMNS": "110"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        say(escape((done.stdout + done.stderr).rstrip()))
    say("")


def faults(ended: str, acts: Sequence[str], resolved: Sequence[tuple[str, str]]) -> list[str]:
    """What is wrong with how the run ended, with the acts in the provider's ledger, or with who resolved which doubt."""
    found = []
    if ended != Phase.COMPLETED:
        found.append(f"the run is {ended}")
    if list(acts) != ACTS:
        found.append(f"the provider acted as {list(acts)}, not {ACTS}")
    if list(resolved) != RESOLVED:
        found.append(f"doubts were resolved as {list(resolved)}, not {RESOLVED}")
    return found
