"""Looks at every commit: folds and decides again what was written, and compares it with what stands in the tables.

It keeps its own state of each run, folded from the events as they came, and never asks the engine. What it finds is
written down as a violation, and the world stops after the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from nexum.core.canonical import from_bytes
from nexum.core.graph.workflow import Graph
from nexum.core.run.advance import NeedsValuesError, settle
from nexum.core.run.codec import GENESIS
from nexum.core.run.events import CELL_TERMINAL, RUN_TERMINAL, Cell, RunSuspended, TimerFired
from nexum.core.run.fold import Event, fold, is_fact
from nexum.core.run.plan import Plan, plan_of
from nexum.core.run.rows import tasks_of
from nexum.core.run.snapshot import freeze
from nexum.core.run.state import Phase, State
from nexum.core.values import Ref
from nexum.engine.seal import unseal
from nexum.engine.work import Work
from nexum.store.api import EventRow, Record
from nexum.store.memory import MemoryStore
from nexum.store.memory.transaction import Change
from nexum.store.shapes import SILENCE
from nexum.testing.sim import transactions
from nexum.testing.sim.breakers import Breakers
from nexum.testing.sim.journals import INSIDE, Journals
from nexum.testing.sim.machine import SECOND, Machine, Process
from nexum.testing.sim.provider import Act
from nexum.testing.sim.sagas import Saga
from nexum.testing.sim.transactions import SHOP

TOLD_AFTER = 2 * SECOND  # as `nexum.engine.sweep`


class Violation(NamedTuple):
    """An invariant that does not hold, and what was seen."""

    invariant: str
    what: str


class Watched:
    """What the monitor knows of one run."""

    def __init__(self, run_id: str, tenant: str, plan: Plan, saga: Saga) -> None:
        self.plan = plan
        self.saga = saga
        self.state = State(run_id, tenant=tenant)
        self.hash = GENESIS
        self.dedupes: set[str] = set()
        self.ended_cells: set[Cell] = set()
        self.cancelled_at = -1  # the commit that recorded the request
        self.values: dict[str, object] = {}


class Monitor:
    """Watches one store. `violations` are in the order in which they were found."""

    def __init__(self, machine: Machine, graphs: Sequence[Graph], is_well: Callable[[str], bool]) -> None:
        self._is_well = is_well
        self._machine = machine
        self._plans = {(graph.workflow, graph.version): plan_of(graph) for graph in graphs}
        self._store: MemoryStore | None = None
        self._begun: set[tuple[object, int]] = set()
        self._claims: dict[object, int] = {}
        self._bodies: dict[tuple[str, str], tuple[str, str]] = {}
        self._acts: dict[tuple[str, str], Act] = {}
        self.runs: dict[str, Watched] = {}
        self.ready_since: dict[object, int] = {}
        self.commits = 0
        self.violations: list[Violation] = []
        self.journals = Journals(self.say)
        self._breakers = Breakers(machine, self.say)
        self._on: dict[str, Callable[[Change], None]] = {
            "nexum_effects": self._effect,
            "nexum_tasks": self._task,
            "nexum_inbox": self._letter,
            "nexum_snapshots": self._snapshot,
            "nexum_events": self._event,
            "nexum_sessions": self._session,
            "nexum_breakers": lambda change: self._breakers.changed(change.before, change.after),
        }

    def watch(self, store: MemoryStore) -> None:
        """The store to look at."""
        self._store = store

    def say(self, invariant: str, what: str) -> None:
        """Write a violation down."""
        self.violations.append(Violation(invariant, what))
        self._machine.note(f"VIOLATION {invariant}: {what}")

    # commits

    def committed(self, changes: Sequence[Change]) -> None:
        """Look at a commit."""
        self.commits += 1
        self._machine.note("=", self._machine.call[0])
        grown: dict[str, list[EventRow]] = {}
        touched: dict[str, None] = {}
        for change in changes:
            name = change.table.name
            if name in self._on:
                self._on[name](change)
            row = change.after or change.before
            if name == "nexum_events" and change.after is not None:
                grown.setdefault(row.run_id, []).append(row.fact)
            if name in _PROJECTED:
                touched[row.run_id] = None
        if any(change.table.name == SHOP for change in changes) or grown:
            transactions.judge(changes, self._plan_of, self.say)
        for run_id, rows in grown.items():
            self._grow(run_id, rows)
        for run_id in touched:
            self._compare(run_id)

    def _plan_of(self, run_id: str) -> Plan:
        row = self._tables.runs.rows[run_id]
        return self._plans[row.workflow, row.version]

    def _grow(self, run_id: str, rows: list[EventRow]) -> None:
        run = self.runs.get(run_id)
        if run is None:
            row = self._tables.runs.rows[run_id]
            plan = self._plan_of(run_id)
            run = self.runs[run_id] = Watched(run_id, row.tenant, plan, Saga(plan.graph, self.say))
        at = 0
        while at < len(rows):
            end = at + 1
            while end < len(rows) and not is_fact(unseal(rows[end]).body):
                end += 1
            self._check_rows(run, rows[at:end])
            self._decide_again(run, [unseal(row) for row in rows[at:end]])
            at = end

    def _check_rows(self, run: Watched, rows: list[EventRow]) -> None:
        state = run.state
        for place, row in enumerate(rows):
            if row.seq != state.seq + 1 + place:
                self.say("I1", f"run {state.run_id}: event {row.seq} follows {state.seq + place}")
            if row.prev_hash != run.hash:
                self.say("I1", f"run {state.run_id}: event {row.seq} does not continue the chain")
            run.hash = row.hash
            if row.dedupe in run.dedupes and row.dedupe:
                self.say("I10", f"run {state.run_id}: {row.dedupe} was recorded twice")
            run.dedupes.add(row.dedupe)
            if row.type in CELL_TERMINAL or row.type == "DoubtResolved":
                cell = Cell(row.path, row.visit, row.item)
                if cell in run.ended_cells and row.type in CELL_TERMINAL:
                    self.say("I2", f"run {state.run_id}: {cell} ended twice")
                if row.type in CELL_TERMINAL:
                    run.ended_cells.add(cell)
            if row.payload:
                run.values.update(_values(row.payload))
        if state.phase.is_ended:
            self.say("I2", f"run {state.run_id}: {rows[0].type} after its end as {state.phase}")
        if sum(row.type in RUN_TERMINAL for row in rows) > 1:
            self.say("I2", f"run {state.run_id} ended twice")

    def _decide_again(self, run: Watched, events: list[Event]) -> None:
        """Fold the fact, decide, and compare the decisions with those that were written."""
        fact, state = events[0], run.state
        if isinstance(fact.body, TimerFired) and state.timers.get(fact.body.timer, fact.at + 1) > fact.at:
            self.say("I15", f"run {state.run_id}: {fact.body.timer} fired at {fact.at}, not armed or not due")
        if type(fact.body).__name__ == "CancelRequested":
            run.cancelled_at = self.commits
        try:
            after = fold(state, fact)
            again = self._settled(run, after, fact) if not isinstance(fact.body, RunSuspended) else (fact,)
        except Exception as error:  # noqa: BLE001 (whatever it raises, the history cannot be folded)
            self.say("I3", f"run {state.run_id}: {fact} cannot be folded: {type(error).__name__}: {error}")
            return
        if again != tuple(events):
            self.say("I4", f"run {state.run_id}: decided {list(again[1:])}, recorded {events[1:]}")
        for event in events:
            run.saga.saw(state, event)
            state = fold(state, event)
            self._check_refs(run, event)
        run.state = state
        self.journals.ended(self._tables, state, events)

    def _settled(self, run: Watched, state: State, fact: Event) -> tuple[Event, ...]:
        while True:
            try:
                return settle(run.plan, state, (fact,), run.values).events
            except NeedsValuesError as need:
                for ref in need.refs:
                    blob = self._blob(state.tenant, ref)
                    assert blob is not None
                    run.values.update(_values(blob))

    def _check_refs(self, run: Watched, event: Event) -> None:
        output = getattr(event.body, "output", None)
        if output is not None and output.seq == 0 and self._blob(run.state.tenant, output) is None:
            self.say("I16", f"run {run.state.run_id}: the blob {output.hash[:12]} of event {event.seq} is missing")

    def _blob(self, tenant: str, ref: Ref) -> bytes | None:
        found = self._tables.blobs.rows.get((tenant, bytes.fromhex(ref.hash)))
        assert self._store is not None
        return self._store.blob(tenant, ref.hash) if found is not None else None

    # projections

    def _compare(self, run_id: str) -> None:
        """The rows of a run against what follows from its events."""
        t, run = self._tables, self.runs.get(run_id)
        row = t.runs.rows.get(run_id)
        if run is None or row is None:
            return
        state = run.state
        if (row.last_seq, row.last_hash, row.status) != (state.seq, run.hash, str(state.phase)):
            self.say(
                "I3", f"run {run_id}: its row says {row.last_seq} {row.status}, its events {state.seq} {state.phase}"
            )
        wanted = {(*task.cell, task.attempt) for task in tasks_of(run.plan, state)}
        there = {key[1:] for key in (task.key for task in t.tasks.of_run(run_id))}
        if there - wanted:
            self.say("I5", f"run {run_id}: tasks without an open attempt: {sorted(there - wanted)}")
        waits = state.suspended or t.inbox.of_run(run_id)
        if wanted - there and not waits:
            self.say("I5", f"run {run_id}: open attempts without a task: {sorted(wanted - there)}")
        timers = {timer.timer: timer.due for timer in t.timers.of_run(run_id)}
        if timers != dict(state.timers):
            self.say("I3", f"run {run_id}: timers {timers}, but its events arm {dict(state.timers)}")

    def _event(self, change: Change) -> None:
        if change.before is not None:
            self.say("I1", f"event {change.key} was changed or removed")

    def _snapshot(self, change: Change) -> None:
        run = self.runs.get(change.key)
        saved = change.after
        if run is not None and saved is not None and saved.seq == run.state.seq and saved.state != freeze(run.state):
            self.say("I3", f"run {change.key}: the snapshot at {saved.seq} is not what its events fold to")

    def _letter(self, change: Change) -> None:
        if change.after is None:
            run_id, dedupe = change.key
            t, run = self._tables, self.runs.get(run_id)
            places = [
                (run_id, dedupe) in t.late_arrivals.rows,
                (run_id, dedupe) in t.inbox_dead.rows,
                t.events.having("one_fact", (run_id, dedupe)) is not None,
            ]
            if sum(places) != 1 and run is not None:
                self.say("I10", f"run {run_id}: mail {dedupe} was taken and stands in {sum(places)} places")

    def _session(self, change: Change) -> None:
        before, after = change.before, change.after
        if before is not None and before.state in ("ENDED", "DEAD") and after.state in ("LIVE", "DRAINING"):
            self.say("I9", f"session {change.key} has risen from the dead")
        if after.proof.startswith(SILENCE) and self._is_well(change.key):
            self.say("S1", f"session {change.key} was declared dead, and it lives: {after.proof}")

    # tasks and effects

    def _task(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is None or after.state != "READY":
            self.ready_since.pop(change.key, None)
        elif before is None or before.state != "READY":
            self.ready_since[change.key] = self._now()
        if after is None:
            return
        if before is not None and after.token < before.token:
            self.say("I9", f"the token of {after.key} went from {before.token} to {after.token}")
        if after.tenant != self._tables.runs.rows[after.run_id].tenant:
            self.say("I22", f"{after.key} is of {after.tenant}, and its run is not")
        if before is not None and before.state == after.state == "CLAIMED" and before.session != after.session:
            self.say("I9", f"{after.key} was taken from {before.session} by {after.session}")
        if before is not None and after.state == "READY" and self._machine.call[0] == "requeue":
            session = self._tables.sessions.rows.get(before.session)
            if session is None or session.state in ("LIVE", "DRAINING"):
                self.say("I9", f"{after.key} was taken from {before.session or 'nobody'}, who is not dead")
        if after.state == "CLAIMED" and (before is None or before.state == "READY"):
            self._claims[after.key, after.token] = self.commits
            self._breakers.claimed((after.key, after.token))
            session = self._tables.sessions.rows.get(after.session)
            if session is not None and after.queue not in session.queues.split("\n"):
                self.say("I13", f"{after.session} claimed {after.key} of {after.queue}, which it does not serve")
        if before is not None and after.told_count > before.told_count:
            last = max(before.created_at, before.not_before, before.told_at)
            if after.told_at - last < TOLD_AFTER << min(before.told_count, 6):
                self.say("I25", f"{after.key} was announced again after {(after.told_at - last) / SECOND:.1f} s")

    def _effect(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is not None and after.state == "CLAIMED" and INSIDE in after.path:
            self.journals.claimed(self._tables, self.runs[after.run_id].state, after)
        if before is None:
            return
        if after is None:
            if before.state != "CLAIMED" or before.before:
                self.say("C3", f"effect {before.key} was forgotten in state {before.state}")
            return
        if (after.state not in _NEXT[before.state]) and after.state != before.state:
            self.say("C3", f"effect {before.key} went from {before.state} to {after.state}")
        if after.token < before.token:
            self.say("I9", f"the token of effect {before.key} went from {before.token} to {after.token}")
        if (before.run_id, before.path) == (after.run_id, after.path) and before.input_hash != after.input_hash:
            self.say("I8", f"the input of effect {before.key} changed")
        name, args = self._machine.call
        if (
            name in ("step", "record", "end_call")
            and after.state != before.state
            and before.run_id == args[0].task.run_id
        ):
            outcome = args[0].effect
            if outcome is not None and outcome.key == after.key and outcome.token != after.token:
                self.say("I9", f"token {outcome.token} changed effect {after.key}, which stands at {after.token}")
            at = self.runs[after.run_id].state.cells.get(Cell(after.path, after.visit, after.item))
            if after.state == "FAILED" and at is not None and at.doubtful:
                self.say("C3", f"effect {after.key} is held for not sent, but an earlier attempt may have acted")

    # the world

    def begins(self, process: Process, work: Work) -> None:
        """A handler is about to be called."""
        name = (work.task, work.token)
        if name in self._begun:
            self.say("I9", f"{work.task} was executed twice with token {work.token}")
        self._begun.add(name)
        self._breakers.begins(work, self._now())
        run = self.runs[work.task.run_id]
        if 0 <= run.cancelled_at < self._claims.get(name, -1) and "/" not in work.task.path:
            self.say("I14", f"{work.task} was claimed after its run had been cancelled, and is executed")
        if work.key:
            said = self._bodies.setdefault((work.tenant, f"{work.task[:4]}"), (work.key, work.input_hash))
            if said != (work.key, work.input_hash):
                self.say("I8", f"{work.task}: key and input were {said}, are {(work.key, work.input_hash)}")

    def reported(self, record: Record) -> None:
        """What came of an effect has been reported: under an old token it is evidence, and kept."""
        told = record.effect
        effect = self._tables.effects.get(told.tenant, told.key) if told is not None else None
        if told is None or effect is None or effect.token == told.token:
            return
        if not any(
            (row.key, row.token) == (told.key, told.token) for row in self._tables.effect_evidence.rows.values()
        ):
            self.say(
                "I9", f"what token {told.token} reported of effect {told.key} is lost; it stands at {effect.token}"
            )

    def acted(self, act: Act) -> None:
        """The provider has done something."""
        asked = act.request
        first = self._acts.setdefault((asked.tenant, asked.key), act)
        if first is not act:
            self.say("I6", f"{asked.tool} acted twice under {asked.key}: {first.request.place} and {asked.place}")

    def _now(self) -> int:
        assert self._store is not None
        return self._store.now()

    @property
    def _tables(self) -> Any:
        assert self._store is not None
        return self._store.tables


_PROJECTED = frozenset({"nexum_runs", "nexum_tasks", "nexum_timers", "nexum_inbox", "nexum_events"})
_EVIDENCE = frozenset({"RECORDED", "APPLIED"})
_NEXT = {
    "CLAIMED": _EVIDENCE | {"FAILED", "UNKNOWN", "IN_DOUBT"},
    "UNKNOWN": _EVIDENCE | {"CLAIMED", "IN_DOUBT", "FAILED"},
    "IN_DOUBT": _EVIDENCE | {"CLAIMED", "UNKNOWN", "FAILED"},
    "FAILED": frozenset({"CLAIMED", "IN_DOUBT"}),
    "RECORDED": frozenset({"APPLIED"}),
    "APPLIED": frozenset({"RECORDED"}),  # inside the step that records and then does not advance
}


def _values(data: bytes) -> Iterable[tuple[str, object]]:
    """A payload by its hash, as conditions read it."""
    from nexum.core.canonical import sha256_hex

    try:
        return [(sha256_hex(data), from_bytes(data))]
    except ValueError:
        return []


__all__ = ["Monitor", "Phase", "Violation", "Watched"]
